/**
 * Deadlines for many calls with few timers: one per distinct duration, not one per call (a timer per call costs as much
 * as the parsing of a message). Entries of one duration expire in the order they were made.
 */
import { timerMs } from './check.js';

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

type Timer = ReturnType<typeof setTimeout> & { ref?: () => unknown; unref?: () => unknown };

class DurationList {
  readonly #ms: number;
  readonly #idle: () => void;
  #head: Entry | undefined;
  #tail: Entry | undefined;
  #timer: Timer | undefined;

  /** `idle` is called when nobody waits any more and no timer runs. */
  constructor(ms: number, idle: () => void) {
    this.#ms = ms;
    this.#idle = idle;
  }

  add(expire: () => void): Entry {
    const entry = new Entry(this, performance.now() + this.#ms, expire);
    entry.previous = this.#tail;
    if (this.#tail) this.#tail.next = entry;
    else this.#head = entry;
    this.#tail = entry;
    if (this.#timer === undefined) this.#arm(this.#ms);
    else if (this.#head === entry) this.#timer.ref?.();
    return entry;
  }

  remove(entry: Entry): void {
    if (entry !== this.#head && entry.previous === undefined) return; // removed before
    if (entry.previous) entry.previous.next = entry.next;
    else this.#head = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.#tail = entry.previous;
    entry.previous = entry.next = undefined;
    // Somebody who waits keeps the process alive until he is told; a timer nobody waits for must not.
    if (this.#head === undefined) this.#timer?.unref?.();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#head = this.#tail = undefined;
  }

  #arm(ms: number): void {
    // A longer wait than a timer can hold is cut into pieces: the list looks again at each.
    this.#timer = setTimeout(() => this.#fire(), timerMs(Math.max(1, Math.ceil(ms))));
  }

  #fire(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#head && this.#head.at <= now) {
      const entry = this.#head;
      this.remove(entry);
      entry.expire();
    }
    if (this.#timer !== undefined) return;
    if (this.#head) this.#arm(this.#head.at - now);
    else this.#idle();
  }
}

/** The deadlines of one owner. */
export class Deadlines {
  readonly #lists = new Map<number, DurationList>();

  /** Calls `expire` once after `ms`, unless cancelled. */
  after(ms: number, expire: () => void): Deadline {
    // Whole milliseconds: what is left of a longer time would else be a duration of its own each time.
    const duration = Math.ceil(ms);
    const list = this.#lists.get(duration) ?? this.#make(duration);
    return list.add(expire);
  }

  #make(duration: number): DurationList {
    const list = new DurationList(duration, () => this.#lists.delete(duration));
    this.#lists.set(duration, list);
    return list;
  }

  /** How many durations are in use, each with a timer. */
  get durations(): number {
    return this.#lists.size;
  }

  /** Forgets all of them without calling anybody. */
  clear(): void {
    for (const list of this.#lists.values()) list.clear();
    this.#lists.clear();
  }
}
