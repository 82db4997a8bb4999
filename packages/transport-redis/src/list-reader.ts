/**
 * One waiting read (BLMPOP) over any number of lists, on a connection of its own. When the lists change while it waits, an
 * element pushed to a list of its own wakes it; CLIENT UNBLOCK would be forgotten when it comes before the read.
 */
import { BLOCK_MS, type Connection } from './connection.js';
import { isUnknownCommand } from './errors.js';

/** A read that the server refuses is tried again after this. */
const PAUSE_MS = 1_000;
/** Taken once, so that a test with fake timers does not stop the reading. */
const immediate = setImmediate;

/** What a reader is made with. */
export interface ListReaderOptions {
  /** The list that wakes it. */
  readonly wakeKey: string;
  /** Pushes to that list. */
  readonly wake: (key: string) => void;
  /** The lists to read now, and how many elements at most; none: it rests until something changes. */
  readonly wanted: () => { readonly keys: readonly string[]; readonly count: number };
  readonly onElements: (key: string, elements: readonly Buffer[]) => void;
  /** A read was refused; it goes on after a pause. */
  readonly onRefused: (error: unknown) => void;
}

export class ListReader {
  readonly #options: ListReaderOptions;
  #connection: Connection | undefined;
  /** What the read that waits now is for; undefined: none does. */
  #waiting: ReadonlySet<string> | undefined;
  #woken = false;
  /** Between two reads. */
  #resting = false;
  /** Redis before 7.0 has no BLMPOP: one element at a time. */
  #single = false;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #rearmed: (() => void)[] = [];

  constructor(options: ListReaderOptions) {
    this.#options = options;
  }

  attach(connection: Connection): void {
    this.#connection = connection;
    this.#read();
  }

  detach(): void {
    this.#connection = undefined;
    this.#waiting = undefined;
    this.#woken = false;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#tell();
  }

  /** Other lists are wanted than before. `fewer`: and some no longer, which shall be true soon. */
  changed(fewer = false): void {
    const connection = this.#connection;
    if (connection === undefined || this.#pause !== undefined || this.#resting) return;
    const waiting = this.#waiting;
    if (waiting === undefined) return this.#read();
    if (this.#woken) return;
    const { keys } = this.#options.wanted();
    if (!fewer && keys.every((key) => waiting.has(key))) return;
    this.#woken = true;
    this.#options.wake(this.#options.wakeKey);
  }

  /** Resolves when no read waits for a list that is not wanted any more. */
  settled(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined || this.#connection === undefined) return Promise.resolve();
    const { keys } = this.#options.wanted();
    if (keys.length === waiting.size && keys.every((key) => waiting.has(key))) return Promise.resolve();
    this.changed(true);
    return new Promise((resolve) => this.#rearmed.push(resolve));
  }

  #read(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { wakeKey, wanted } = this.#options;
    const { keys, count } = wanted();
    this.#woken = false;
    this.#waiting = keys.length === 0 ? undefined : new Set(keys);
    this.#tell();
    if (keys.length === 0) return;
    const seconds = String(BLOCK_MS / 1000);
    const all = [wakeKey, ...keys];
    const args = this.#single ? [...all, seconds] : [seconds, all.length, ...all, 'LEFT', 'COUNT', count];
    connection.send(
      this.#single ? 'blpop' : 'blmpop',
      args,
      (reply) => {
        if (connection !== this.#connection) return;
        this.#take(reply);
        this.#waiting = undefined;
        // What is answered to it leaves first.
        this.#resting = true;
        immediate(() => {
          this.#resting = false;
          if (connection === this.#connection) this.#read();
        });
      },
      (error) => this.#failed(connection, error),
    );
  }

  #take(reply: unknown): void {
    if (!Array.isArray(reply)) return; // Nothing came in time.
    const [key, value] = reply;
    const name = String(key);
    if (name === this.#options.wakeKey) return;
    const values: unknown[] = Array.isArray(value) ? value : [value];
    this.#options.onElements(name, values.filter(Buffer.isBuffer));
  }

  #failed(connection: Connection, error: unknown): void {
    if (connection !== this.#connection || !connection.alive) return;
    this.#waiting = undefined;
    if (isUnknownCommand(error) && !this.#single) {
      this.#single = true;
      return this.#read();
    }
    this.#options.onRefused(error);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#read();
    }, PAUSE_MS);
    this.#tell();
  }

  #tell(): void {
    for (const resolve of this.#rearmed.splice(0)) resolve();
  }
}
