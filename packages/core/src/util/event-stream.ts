/** Events for any number of readers, each an async iterable with a bounded buffer of its own. */

import { Fifo } from './fifo.js';

/** How many events a reader may lag behind before it loses the oldest. */
const LAG = 1000;

class Reader<T> implements AsyncIterableIterator<T, undefined> {
  readonly #leave: (reader: Reader<T>) => void;
  readonly #lagged: ((lost: number) => T) | undefined;
  readonly #events = new Fifo<T>();
  readonly #asking = new Fifo<(result: IteratorResult<T, undefined>) => void>();
  #lost = 0;
  #ended = false;

  constructor(leave: (reader: Reader<T>) => void, lagged: ((lost: number) => T) | undefined) {
    this.#leave = leave;
    this.#lagged = lagged;
  }

  push(event: T): void {
    const next = this.#asking.shift();
    if (next) return next({ done: false, value: event });
    this.#events.push(event);
    if (this.#events.length <= LAG) return;
    this.#events.shift();
    this.#lost++;
  }

  end(): void {
    this.#ended = true;
    for (let next = this.#asking.shift(); next; next = this.#asking.shift())
      next({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#lost > 0 && this.#lagged) {
      const value = this.#lagged(this.#lost);
      this.#lost = 0;
      return Promise.resolve({ done: false, value });
    }
    const event = this.#events.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#asking.push(resolve));
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave(this);
    for (let left = this.#events.shift(); left !== undefined; ) left = this.#events.shift();
    this.#lost = 0;
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
  readonly #lagged: ((lost: number) => T) | undefined;
  #ended = false;

  /** `lagged` makes the event that tells a slow reader how many it lost. */
  constructor(lagged?: (lost: number) => T) {
    this.#lagged = lagged;
  }

  /** Is anybody reading? */
  get heard(): boolean {
    return this.#readers.size > 0;
  }

  emit(event: T): void {
    for (const reader of this.#readers) reader.push(event);
  }

  /** Events from now on. Leaving the loop ends it. */
  read(): AsyncIterableIterator<T, undefined> {
    const reader = new Reader<T>((done) => this.#readers.delete(done), this.#lagged);
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
