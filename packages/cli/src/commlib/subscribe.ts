/** `commlib sub`: shows what is published on a topic or pattern. */
import { anything, topic } from '@commlib/core';
import { UsageError } from '../terminal/exit-codes.js';
import { stopped } from '../terminal/io.js';
import type { Context } from './context.js';
import { filterName, type UriOptions } from './data.js';
import { type ShowOptions, shower } from './show.js';

/** Options of `sub`. */
export interface SubscribeOptions extends UriOptions, ShowOptions {
  readonly count?: number | undefined;
  readonly qos: 0 | 1 | 2;
  readonly atLeastOnce?: boolean | undefined;
  readonly group?: string | undefined;
}

/** Checks what was typed before anything is connected. */
export function planSubscribe(uri: string, options: SubscribeOptions) {
  if (options.atLeastOnce && options.group === undefined)
    throw new UsageError('--at-least-once needs --group: the broker keeps what the group misses');
  const delivery = options.atLeastOnce ? 'at-least-once' : 'at-most-once';
  return topic(filterName(uri, options), anything, { delivery });
}

/** Shows messages until the count is reached or the process is told to stop. */
export async function subscribe(
  { node, io, note, where }: Context,
  contract: ReturnType<typeof planSubscribe>,
  options: SubscribeOptions,
): Promise<void> {
  const show = shower(io, options);
  const { count, qos, group, atLeastOnce } = options;
  let seen = 0;
  let reached = () => {};
  const enough = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const subscriber = await node.subscribe(
    contract,
    (data, message) => {
      const { address, retained } = message;
      if (count !== undefined && seen >= count) {
        // Not shown: somebody else of the group, or the next run, shall have it.
        if (atLeastOnce) message.nack('enough');
        return;
      }
      show({ topic: address, data, retained });
      seen++;
      if (count !== undefined && seen >= count) reached();
    },
    atLeastOnce
      ? // No more in hand than are asked for: what is not shown goes to others.
        { group, maxInFlight: Math.min(count ?? 100, 100) }
      : { group, native: { mqtt: { qos } }, maxInFlight: 10_000 },
  );
  note(`subscribed to ${subscriber.filter} at ${where}${count === undefined ? ' (Ctrl-C ends)' : ''}`);
  await Promise.race([enough, stopped(io.signal)]);
  // Told to stop: without a count that is the ordinary end.
  if (count !== undefined && seen < count) io.signal.throwIfAborted();
}
