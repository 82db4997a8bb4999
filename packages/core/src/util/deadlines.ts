/**
 * Deadlines for many calls with few timers: one per distinct duration, not one per call (a timer per call costs as much
 * as the parsing of a message). Entries of one duration expire in the order they were made.
 */
import { getOrMake } from './get-or-make.js';

/** One waiting deadline. */
export interface Deadline {
  /** The caller has what it waited for. */
  cancel(): void;
}

class Entry implements Deadline {
  previous: Entry | undefined;
  next: Entry | undefined;
  readonly at: number;
  readonly #list: DurationList;
  readonly expire: () => void;

  constructor(list: DurationList, at: number, expire: () => void) {
    this.#list = list;
    this.at = at;
    this.expire = expire;
  }

  cancel(): void {
    this.#list.remove(this);
  }
}

class DurationList {
  readonly #ms: number;
  #head: Entry | undefined;
  #tail: Entry | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(expire: () => void): Entry {
    const entry = new Entry(this, performance.now() + this.#ms, expire);
    entry.previous = this.#tail;
    if (this.#tail) this.#tail.next = entry;
    else this.#head = entry;
    this.#tail = entry;
    if (this.#timer === undefined) this.#arm(this.#ms);
    return entry;
  }

  remove(entry: Entry): void {
    if (entry !== this.#head && entry.previous === undefined) return; // removed before
    if (entry.previous) entry.previous.next = entry.next;
    else this.#head = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#tail = entry.previous;
    entry.previous = entry.next = undefined;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#head = this.#tail = undefined;
  }

  get empty(): boolean {
    return this.#head === undefined && this.#timer === undefined;
  }

  #arm(ms: number): void {
    // setTimeout holds 31 bits; a longer wait is cut into pieces, and the list looks again at each.
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(1, Math.ceil(ms)), 2 ** 31 - 1));
    // Whoever waits holds a connection open; the timer alone must not keep a process alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #fire(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#head && this.#head.at <= now) {
      const entry = this.#head;
      this.remove(entry);
      entry.expire();
    }
    if (this.#head && this.#timer === undefined) this.#arm(this.#head.at - now);
  }
}

/** The deadlines of one owner. */
export class Deadlines {
  readonly #lists = new Map<number, DurationList>();

  /** Calls `expire` once after `ms`, unless cancelled. */
  after(ms: number, expire: () => void): Deadline {
    const list = getOrMake(this.#lists, ms, () => {
      for (const [duration, old] of this.#lists) if (old.empty) this.#lists.delete(duration);
      return new DurationList(ms);
    });
    return list.add(expire);
  }

  /** Forgets all of them without calling anybody. */
  clear(): void {
    for (const list of this.#lists.values()) list.clear();
    this.#lists.clear();
  }
}
