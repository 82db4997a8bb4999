/** Values for whoever listens, by handler or iterator. Nothing is kept for those who come later. */

/** A reader that does not read loses the oldest. */
const MAX_UNREAD = 1_000;

/** One source, any number of listeners. */
export class Broadcast<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #ends = new Set<() => void>();
  #ended = false;

  /** Calls `listener` for every value from now on; returns how to stop that. */
  listen(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }

  end(): void {
    this.#ended = true;
    for (const end of [...this.#ends]) end();
  }

  /** Every value from now on (not only from the first `next()`), until the source ends. */
  read(): AsyncGenerator<T, undefined> {
    const queue: T[] = [];
    let wake = () => {};
    const stop = this.listen((value) => {
      queue.push(value);
      if (queue.length > MAX_UNREAD) queue.shift();
      wake();
    });
    const end = () => wake();
    this.#ends.add(end);
    const done = () => this.#ended;
    const finish = () => {
      stop();
      this.#ends.delete(end);
    };
    return (async function* () {
      try {
        for (;;) {
          const value = queue.shift();
          if (value !== undefined) yield value;
          else if (done()) return undefined;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        finish();
      }
    })();
  }
}
