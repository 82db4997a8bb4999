/** `commlib pub`: publishes DATA, once or again and again. */
import { anything, CommlibError, topic } from '@commlib/core';
import { stopped } from '../terminal/io.js';
import type { Context } from './context.js';
import { addressName, parseData, type UriOptions } from './data.js';

/** Options of `pub`. */
export interface PublishOptions extends UriOptions {
  /** Messages per second; 0: once. */
  readonly rate: number;
  readonly count?: number | undefined;
  readonly retain?: boolean | undefined;
  readonly qos: 0 | 1 | 2;
  readonly atLeastOnce?: boolean | undefined;
}

/** Checks what was typed before anything is connected. */
export function planPublish(uri: string, text: string, options: PublishOptions) {
  const delivery = options.atLeastOnce ? 'at-least-once' : 'at-most-once';
  return {
    contract: topic(addressName(uri, options), anything, { delivery }),
    data: parseData(text, 'DATA'),
  };
}

/**
 * Publishes until the count is reached or the process is told to stop. Quality of service 1 and above wait for the
 * broker's confirmation, so that what was published is with the broker when the command ends.
 */
export async function publish(
  { node, io, note, where }: Context,
  { contract, data }: ReturnType<typeof planPublish>,
  { rate, count, retain, qos, atLeastOnce }: PublishOptions,
): Promise<void> {
  const native = atLeastOnce ? undefined : { mqtt: { qos } };
  const publisher = node.publisher(contract, { retain: retain ?? false, native });
  const total = rate === 0 ? 1 : (count ?? Number.POSITIVE_INFINITY);
  const end = stopped(io.signal);
  const begun = performance.now();
  for (let sent = 0; sent < total && !io.signal.aborted; sent++) {
    try {
      await publisher.publish(data, { signal: io.signal });
    } catch (error) {
      if (io.signal.aborted) break;
      // Without an end in sight the next one counts; the connection tells of its loss and return by itself.
      if (Number.isFinite(total) || !isOutage(error)) throw error;
    }
    if (sent === 0)
      note(`published on ${contract.name.text} at ${where}${total > 1 ? ', going on (Ctrl-C ends)' : ''}`);
    if (sent + 1 >= total) return;
    await pause(begun + ((sent + 1) * 1000) / rate - performance.now(), end);
  }
  // Told to stop: without a count that is the ordinary end.
  if (Number.isFinite(total)) io.signal.throwIfAborted();
}

function isOutage(error: unknown): boolean {
  return CommlibError.is(error, 'NOT_CONNECTED') || CommlibError.is(error, 'CONNECTION_LOST');
}

async function pause(ms: number, end: Promise<void>): Promise<void> {
  if (ms <= 0) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([time, end]);
  clearTimeout(timer);
}
