/** Thousands of calls on one client, each with a nonce of its own, while something is done to the connection. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommlibError, Node } from '@commlib/core';
import type { Stage } from '../stages/index.js';
import { echo } from './contract.js';

/** How large a burst is, and where. */
export interface BurstOptions {
  /** The client goes through its `near` proxy, the service past the proxies. */
  readonly stage: Stage;
  readonly calls: number;
  readonly inFlight: number;
  /** Of each call. */
  readonly timeoutMs: number;
  /** The client notices a silent link soon. */
  readonly watchful?: boolean | undefined;
  /** What happens meanwhile. It waits on what it is given, never for a time. */
  readonly disturb?: ((burst: Disturbed) => Promise<void>) | undefined;
}

/** What a disturbance may look at. */
export interface Disturbed {
  readonly client: Node;
  readonly service: Node;
  /** Resolves when this part of the calls (0 to 1) has settled. */
  settled(part: number): Promise<void>;
  /** Resolves when the node is in this state. */
  state(node: Node, state: Node['status']['state']): Promise<void>;
}

/** What became of the calls. */
export interface BurstResult {
  readonly calls: number;
  readonly answered: number;
  /** Error code → number of calls that failed with it. */
  readonly failed: Readonly<Record<string, number>>;
  /** Calls that were given another call's answer. */
  readonly wrong: number;
  /** Calls that failed with an error that is none of this library's. */
  readonly untyped: number;
  /** Nonces whose handler ran more than once. */
  readonly executedTwice: number;
  /** Answers that came after their call had ended, and were dropped. */
  readonly late: number;
  /** Calls still pending at the end. */
  readonly pending: number;
  /** How often the client's connection was lost and made again. */
  readonly reconnects: number;
  readonly durationMs: number;
  /** What Node warned of meanwhile: leaks, mostly. */
  readonly warnings: readonly string[];
}

/** Makes the calls, and tells what became of each. */
export async function runBurst(options: BurstOptions): Promise<BurstResult> {
  const { stage, calls, inFlight, timeoutMs, watchful } = options;
  const executed = new Map<string, number>();
  const service = await new Node({ transport: stage.transport({ side: 'direct' }) }).start();
  await service.serve(
    echo,
    async ({ nonce }) => {
      executed.set(nonce, (executed.get(nonce) ?? 0) + 1);
      // Answers come in another order than the requests did.
      await sleep(Math.random() * 3);
      return { nonce };
    },
    { concurrency: inFlight, maxQueued: calls },
  );
  const client = await new Node({ transport: stage.transport({ side: 'near', watchful }) }).start();
  const caller = client.client(echo, { timeoutMs });

  const waiters: { at: number; resolve: () => void }[] = [];
  const failed: Record<string, number> = {};
  let begun = 0;
  let settled = 0;
  let answered = 0;
  let wrong = 0;
  let untyped = 0;

  const { signal } = new AbortController();
  const one = async (): Promise<void> => {
    const nonce = randomUUID();
    try {
      // All calls share one signal, as the calls of a program that can be interrupted do.
      const answer = await caller.call({ nonce }, { signal });
      if (answer.nonce === nonce) answered++;
      else wrong++;
    } catch (error) {
      if (!CommlibError.is(error)) untyped++;
      const code = CommlibError.is(error) ? error.code : String(error);
      failed[code] = (failed[code] ?? 0) + 1;
    }
    settled++;
    for (const waiter of waiters) if (settled >= waiter.at) waiter.resolve();
  };
  const worker = async (): Promise<void> => {
    while (begun < calls) {
      begun++;
      await one();
      // As a program would: no next call before the connection is back, and that of a service that is known to be away. Not one
      // of the calls is made again.
      for (let away = notReady(client, service); away; away = notReady(client, service))
        await stateOf(away, 'ready');
    }
  };

  const warnings: string[] = [];
  const warned = (warning: Error) => {
    // Of kafkajs, on Node 24: see docs/transports/kafka.md.
    if (warning.name !== 'TimeoutNegativeWarning') warnings.push(warning.message);
  };
  process.on('warning', warned);
  const start = performance.now();
  const disturbance = options.disturb?.({
    client,
    service,
    settled: (part) =>
      new Promise((resolve) => {
        const at = Math.floor(calls * part);
        if (settled >= at) resolve();
        else waiters.push({ at, resolve });
      }),
    state: stateOf,
  });
  await Promise.all([disturbance, ...Array.from({ length: inFlight }, worker)]);
  const durationMs = performance.now() - start;
  const { status } = client;
  const reconnects = status.state === 'ready' ? status.reconnects : 0;
  await client.close();
  await service.close();
  process.off('warning', warned);
  return {
    calls,
    answered,
    failed,
    wrong,
    untyped,
    executedTwice: [...executed.values()].filter((times) => times > 1).length,
    late: client.counters.lateReplies,
    pending: calls - settled,
    reconnects,
    durationMs,
    warnings,
  };
}

function notReady(...nodes: readonly Node[]): Node | undefined {
  return nodes.find((node) => node.status.state !== 'ready');
}

async function stateOf(node: Node, state: Node['status']['state']): Promise<void> {
  if (node.status.state === state) return;
  for await (const event of node.events()) {
    if (event.type === 'status' && event.status.state === state) return;
  }
  throw new Error(`the node was closed before it was ${state}`);
}
