/** Events for any number of readers, each an async iterable with a bounded buffer of its own. */

/** How many events a reader may lag behind before it loses the oldest. */
const LAG = 1000;

class Reader<T> implements AsyncIterableIterator<T, undefined> {
  readonly #leave: (reader: Reader<T>) => void;
  #waiting: T[] = [];
  #next: ((result: IteratorResult<T, undefined>) => void) | undefined;
  #ended = false;

  constructor(leave: (reader: Reader<T>) => void) {
    this.#leave = leave;
  }

  push(event: T): void {
    if (this.#next) {
      const next = this.#next;
      this.#next = undefined;
      next({ done: false, value: event });
    } else {
      this.#waiting.push(event);
      if (this.#waiting.length > LAG) this.#waiting.shift();
    }
  }

  end(): void {
    this.#ended = true;
    this.#next?.({ done: true, value: undefined });
    this.#next = undefined;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#next = resolve;
    });
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave(this);
    this.#waiting = [];
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Where events come from. */
export class EventStream<T> {
  readonly #readers = new Set<Reader<T>>();
  #ended = false;

  emit(event: T): void {
    for (const reader of this.#readers) reader.push(event);
  }

  /** Events from now on. Leaving the loop ends it. */
  read(): AsyncIterableIterator<T, undefined> {
    const reader = new Reader<T>((done) => this.#readers.delete(done));
    if (this.#ended) reader.end();
    else this.#readers.add(reader);
    return reader;
  }

  /** Readers get what they have not read yet, then the end. */
  end(): void {
    this.#ended = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }
}
