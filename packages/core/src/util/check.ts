/** Options that are numbers: a wrong one is said where it was given, not where it does harm. */

/** Throws a `RangeError` unless the value is a whole number above 0. */
export function positive(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${what} must be a whole number above 0, not ${value}`);
  return value;
}

/** Throws a `RangeError` unless the value is a time in milliseconds; `Infinity` is one. */
export function milliseconds(value: number, what: string): number {
  if (!(value >= 0)) throw new RangeError(`${what} must be a number of milliseconds, not ${value}`);
  return value;
}

/** What `setTimeout` can hold; given more, it fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** A time as `setTimeout` takes it: not below 0, at most some 24 days. */
export function timerMs(ms: number): number {
  return Math.min(Math.max(0, ms), LONGEST_TIMEOUT_MS) || 0;
}
