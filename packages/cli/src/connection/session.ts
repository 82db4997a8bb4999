/** A started node for the length of one command. */
import { CommlibError, ConnectionError, Node, type NodeEvent, type NodeOptions } from '@commlib/core';
import type { Settings } from '../settings/resolve.js';
import type { Io } from '../terminal/io.js';
import { readAccess } from './access.js';
import { openTransport, type TransportRegistry } from './transports.js';

/** How a session is opened. */
export interface SessionOptions {
  readonly io: Io;
  readonly settings: Settings;
  readonly registry: TransportRegistry;
  /** Told everything that happens on the node. */
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
  /** How the node writes, if not as usual. */
  readonly nodeOptions?: Pick<NodeOptions, 'codec' | 'envelope'> | undefined;
}

/**
 * Connects, runs the work, closes in good order. The first attempt to connect must succeed: an interactive user wants
 * to hear at once what is wrong. Later losses are mended; one that cannot be mended rejects.
 *
 * @throws What the connection or the work throws.
 */
export async function withNode<T>(options: SessionOptions, work: (node: Node) => Promise<T>): Promise<T> {
  const { io, settings, registry, onEvent, nodeOptions } = options;
  const transport = await openTransport(registry, await readAccess(io, settings));
  let end: (error: CommlibError) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    end = reject;
  });
  ended.catch(() => {}); // Heard by the race below, if anybody still runs.
  const node = new Node({
    ...nodeOptions,
    transport,
    inboxPrefix: settings.inboxPrefix,
    onEvent: (event) => {
      onEvent?.(event);
      if (event.type === 'status' && event.status.state === 'closed' && event.status.error)
        end(event.status.error);
    },
  });
  await start(node, settings.connectTimeoutMs, io.signal);
  try {
    return await Promise.race([work(node), ended]);
  } finally {
    await node.close({ deadlineMs: 3_000 });
  }
}

async function start(node: Node, connectTimeoutMs: number, signal: AbortSignal): Promise<void> {
  try {
    // The transport has the same limit and the better explanation, so it goes first.
    await node.start({ timeoutMs: connectTimeoutMs + 500, failFast: true, signal });
  } catch (error) {
    if (!CommlibError.is(error, 'TIMEOUT')) throw error;
    throw new ConnectionError('CONNECTION_TIMEOUT', error.message, { cause: error });
  }
}
