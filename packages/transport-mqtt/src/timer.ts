/** What `setTimeout` can hold, some 24 days; given more, `Infinity` included, it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A time as `setTimeout` takes it. */
export function timerMs(wanted: number): number {
  return Math.min(Math.max(0, wanted), LONGEST_TIMER_MS) || 0;
}
