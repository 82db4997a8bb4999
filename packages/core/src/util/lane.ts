/**
 * Runs the handler of a subscription or service: one item at a time, or up to `concurrency`, and then in order per key.
 * A handler that does not wait costs no queue and no promise.
 */
import { Fifo } from './fifo.js';

/** How a lane works. */
export interface LaneOptions<T> {
  readonly concurrency: number;
  /** Items with the same key run one after the other, in order. `undefined`: no order asked for. */
  readonly keyOf: (item: T) => string | undefined;
  /** Does the work; a promise means that it is not done yet. Must not throw or reject: failures are its own business. */
  readonly run: (item: T) => void | Promise<void>;
}

/** A queue with a bounded number of workers. */
export class Lane<T> {
  readonly #options: LaneOptions<T>;
  /** Items that may begin as soon as a worker is free: of each key only the first. */
  readonly #ready = new Fifo<T>();
  /** Keys with an item that is ready or running, and the items of theirs that come after it. */
  readonly #behind = new Map<string, Fifo<T>>();
  #blocked = 0;
  #running = 0;
  #idle: (() => void)[] = [];

  constructor(options: LaneOptions<T>) {
    this.#options = options;
  }

  /** Items not yet begun. */
  get waiting(): number {
    return this.#ready.length + this.#blocked;
  }

  push(item: T): void {
    const key = this.#keyOf(item);
    if (key !== undefined) {
      const behind = this.#behind.get(key);
      if (behind) {
        behind.push(item);
        this.#blocked++;
        return;
      }
      this.#behind.set(key, new Fifo());
    }
    if (this.#running >= this.#options.concurrency || this.#ready.length > 0) {
      this.#ready.push(item);
      return;
    }
    this.#begin(item, key);
    // The work may have pushed more, and be done already.
    if (this.#ready.length > 0) this.#next();
  }

  /** Takes out the oldest item that waits for a worker; when all wait for others of their keys, the oldest of one key. */
  shift(): T | undefined {
    const item = this.#ready.shift();
    if (item !== undefined) {
      this.#follow(this.#keyOf(item));
      return item;
    }
    for (const behind of this.#behind.values()) {
      const blocked = behind.shift();
      if (blocked === undefined) continue;
      this.#blocked--;
      return blocked;
    }
    return undefined;
  }

  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #keyOf(item: T): string | undefined {
    return this.#options.concurrency > 1 ? this.#options.keyOf(item) : undefined;
  }

  #begin(item: T, key: string | undefined): void {
    this.#running++;
    const result = this.#options.run(item);
    if (result === undefined) {
      this.#finish(key);
    } else {
      const done = () => {
        this.#finish(key);
        this.#next();
      };
      result.then(done, done);
    }
  }

  #finish(key: string | undefined): void {
    this.#running--;
    this.#follow(key);
    if (this.#running > 0 || this.waiting > 0 || this.#idle.length === 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** The next item of a key may begin. */
  #follow(key: string | undefined): void {
    if (key === undefined) return;
    const next = this.#behind.get(key)?.shift();
    if (next === undefined) {
      this.#behind.delete(key);
      return;
    }
    this.#blocked--;
    this.#ready.push(next);
  }

  #next(): void {
    while (this.#running < this.#options.concurrency) {
      const item = this.#ready.shift();
      if (item === undefined) return;
      this.#begin(item, this.#keyOf(item));
    }
  }
}
