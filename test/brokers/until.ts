import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** Options of {@link until}. */
export interface UntilOptions {
  /** What is awaited, for the message of the error. */
  what: string;
  /** Default 10 000 ms. */
  timeoutMs?: number;
  /** Pause between two checks, default 20 ms. */
  everyMs?: number;
}

/**
 * Waits until a condition holds, and returns the first truthy answer. Time in which the whole process stood still does not
 * count.
 *
 * @throws Error naming what was awaited when the time is over; an error of the condition itself at once.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 20 }: UntilOptions,
): Promise<Truthy<T>> {
  let end = performance.now() + timeoutMs;
  for (;;) {
    const over = performance.now() >= end;
    const answer = await condition();
    if (isTruthy(answer)) return answer;
    if (over) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    const begun = performance.now();
    await sleep(everyMs);
    end += Math.max(0, performance.now() - begun - everyMs);
    // Timers run before sockets are read: what came meanwhile is seen after a turn.
    await nextTurn();
  }
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

function isTruthy<T>(value: T): value is Truthy<T> {
  return Boolean(value);
}
