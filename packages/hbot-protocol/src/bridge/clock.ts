/** Time, so that tests and demonstrations can make their own. */

/** What tells the time and calls back. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once, `ms` from now; returns how to prevent that. */
  after(ms: number, run: () => void): () => void;
}

/** Some 24 days; given more, `setTimeout` fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Calls `run` every `ms`, the first time `ms` from now; returns how to end that. */
export function every(clock: Clock, ms: number, run: () => void): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = clock.after(ms, () => {
      next();
      run();
    });
  };
  next();
  return () => cancel();
}

/** A clock that goes only when it is told to: what is due happens in order, within `advance`. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  #due: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];

  /** @param startMs Milliseconds since 1970. Default 1 700 000 000 000. */
  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  /** Lets `ms` milliseconds go by. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#due
        .filter(({ at }) => at <= until)
        .sort((a, b) => a.at - b.at || a.order - b.order)
        .at(0);
      if (next === undefined) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
  }
}
