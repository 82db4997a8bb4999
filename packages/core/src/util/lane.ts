/**
 * Runs the handler of a subscription or service: one message at a time, or up to `concurrency`, and then in order per
 * key. A handler that does not wait costs no queue and no promise.
 */

/** One thing to do; a promise means that it is not done yet. */
export type Work<T> = (item: T) => void | Promise<void>;

/** How a lane works. */
export interface LaneOptions<T> {
  readonly concurrency: number;
  /** Items with the same key run one after the other, in order. `undefined`: no order asked for. */
  readonly keyOf: (item: T) => string | undefined;
  /** Does the work. Must not throw or reject: failures are its own business. */
  readonly run: Work<T>;
}

/** A queue with a bounded number of workers. */
export class Lane<T> {
  readonly #options: LaneOptions<T>;
  #waiting: T[] = [];
  #head = 0;
  #running = 0;
  readonly #busy = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(options: LaneOptions<T>) {
    this.#options = options;
  }

  /** Items not yet begun. */
  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  /** Items begun and not done. */
  get running(): number {
    return this.#running;
  }

  push(item: T): void {
    if (this.waiting === 0 && this.#admits(item)) this.#begin(item);
    else this.#waiting.push(item);
  }

  /** Takes the oldest waiting item out. */
  shift(): T | undefined {
    if (this.waiting === 0) return undefined;
    const item = this.#waiting[this.#head] as T;
    this.#waiting[this.#head] = undefined as T; // let it go now, not when the array is cut
    if (++this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    }
    return item;
  }

  /** Everything that waits, taken out. */
  drain(): T[] {
    const rest = this.#waiting.slice(this.#head);
    this.#waiting = [];
    this.#head = 0;
    return rest;
  }

  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #key(item: T): string | undefined {
    return this.#options.concurrency > 1 ? this.#options.keyOf(item) : undefined;
  }

  #admits(item: T): boolean {
    if (this.#running >= this.#options.concurrency) return false;
    const key = this.#key(item);
    return key === undefined || !this.#busy.has(key);
  }

  #begin(item: T): void {
    const key = this.#key(item);
    this.#running++;
    if (key !== undefined) this.#busy.add(key);
    const result = this.#options.run(item);
    if (result === undefined) {
      this.#finish(key, false);
    } else {
      const done = () => this.#finish(key, true);
      result.then(done, done);
    }
  }

  #finish(key: string | undefined, later: boolean): void {
    this.#running--;
    if (key !== undefined) this.#busy.delete(key);
    // A handler that did not wait was started by push() or by the loop below, which goes on by itself.
    if (later) this.#next();
    if (this.#running === 0 && this.waiting === 0 && this.#idle.length > 0) {
      const idle = this.#idle;
      this.#idle = [];
      for (const resolve of idle) resolve();
    }
  }

  #next(): void {
    while (this.waiting > 0 && this.#running < this.#options.concurrency) {
      const item = this.#waiting[this.#head] as T;
      if (this.#admits(item)) {
        this.shift();
        this.#begin(item);
        continue;
      }
      // The oldest waits for its key: look further for one whose key is free, leaving the order per key as it is.
      if (!this.#beginLater()) return;
    }
  }

  #beginLater(): boolean {
    const blocked = new Set<string>();
    for (let i = this.#head; i < this.#waiting.length; i++) {
      const item = this.#waiting[i] as T;
      const key = this.#key(item);
      if (key !== undefined && (blocked.has(key) || this.#busy.has(key))) {
        blocked.add(key);
        continue;
      }
      this.#waiting.splice(i, 1);
      this.#begin(item);
      return true;
    }
    return false;
  }
}
