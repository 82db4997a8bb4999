import { setTimeout as sleep } from 'node:timers/promises';

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
 * Waits until a condition holds, and returns the first truthy answer.
 *
 * @throws Error naming what was awaited when the time is over; an error of the condition itself at once.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 20 }: UntilOptions,
): Promise<Truthy<T>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await condition();
    if (isTruthy(answer)) return answer;
    if (Date.now() >= end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(everyMs);
  }
}

type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

function isTruthy<T>(value: T): value is Truthy<T> {
  return Boolean(value);
}
