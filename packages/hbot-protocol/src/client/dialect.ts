/** Which spelling a bot with dots in its id uses, found out from what it publishes. */
import { AbortedError } from '@commlib/core';
import type { Dialect, Spelling } from '../contracts/address.js';

/** Knows at once when there is one spelling; else waits for the bot to be heard on one. */
export class SpellingFinder {
  readonly candidates: readonly [Spelling, ...Spelling[]];
  #known: Spelling | undefined;
  readonly #waiting = new Set<{ wake: () => void; fail: (error: Error) => void }>();
  #closed: Error | undefined;

  constructor(candidates: readonly [Spelling, ...Spelling[]]) {
    this.candidates = candidates;
    if (candidates.length === 1) this.#known = candidates[0];
  }

  /** The spelling, as far as it is known. */
  get known(): Spelling | undefined {
    return this.#known;
  }

  /** The dialect, when the bot was heard and its spelling tells. */
  get heardDialect(): Dialect {
    return this.candidates.length > 1 && this.#known ? this.#known.dialect : 'auto';
  }

  /** The bot was heard on this one. */
  heard(spelling: Spelling): void {
    if (this.candidates.length > 1) this.#known = spelling;
    for (const { wake } of [...this.#waiting]) wake();
  }

  /** Resolves with `undefined` when the bot was not heard in time. Throws {@link AbortedError}, and after `close` its error. */
  find(timeoutMs: number, signal: AbortSignal | undefined): Promise<Spelling | undefined> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#known) return Promise.resolve(this.#known);
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(waiter);
        how();
      };
      const wake = () => settle(() => resolve(this.#known));
      const waiter = { wake, fail: (error: Error) => settle(() => reject(error)) };
      const abort = () =>
        settle(() => reject(new AbortedError('waiting for the bot to be heard', signal?.reason)));
      const timer = setTimeout(wake, timeoutMs);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort);
      this.#waiting.add(waiter);
    });
  }

  /** Nothing is found any more: whoever waits, or asks later, gets this error. */
  close(error: Error): void {
    this.#closed = error;
    for (const { fail } of [...this.#waiting]) fail(error);
  }
}
