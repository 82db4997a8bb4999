/** `commlib sub`: shows what is published on a topic or pattern. */
import { anything, topic } from '@commlib/core';
import { stopped } from '../terminal/io.js';
import type { Context } from './context.js';
import { filterName, type UriOptions } from './data.js';
import { type ShowOptions, shower } from './show.js';

/** Options of `sub`. */
export interface SubscribeOptions extends UriOptions, ShowOptions {
  readonly count?: number | undefined;
  readonly qos: 0 | 1 | 2;
}

/** Checks what was typed before anything is connected. */
export function planSubscribe(uri: string, options: SubscribeOptions) {
  return topic(filterName(uri, options), anything);
}

/** Shows messages until the count is reached or the process is told to stop. */
export async function subscribe(
  { node, io, note, where }: Context,
  contract: ReturnType<typeof planSubscribe>,
  options: SubscribeOptions,
): Promise<void> {
  const show = shower(io, options);
  const { count, qos } = options;
  let seen = 0;
  let reached = () => {};
  const enough = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const subscriber = await node.subscribe(
    contract,
    (data, { address, retained }) => {
      if (count !== undefined && seen >= count) return;
      show({ topic: address, data, retained });
      seen++;
      if (count !== undefined && seen >= count) reached();
    },
    { native: { mqtt: { qos } }, maxInFlight: 10_000 },
  );
  note(`subscribed to ${subscriber.filter} at ${where}${count === undefined ? ' (Ctrl-C ends)' : ''}`);
  await Promise.race([enough, stopped(io.signal)]);
  // Told to stop: without a count that is the ordinary end.
  if (count !== undefined && seen < count) io.signal.throwIfAborted();
}
