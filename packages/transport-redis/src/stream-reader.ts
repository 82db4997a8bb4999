/**
 * One waiting read (XREADGROUP) over all streams of one group, on a connection of its own. When the streams change while it
 * waits, it is woken by CLIENT UNBLOCK, again and again until it is back: it may not have been waiting yet.
 */
import { BLOCK_MS, type Connection } from './connection.js';
import { isMissingStream } from './errors.js';
import { readStreams, type StreamEntry } from './stream-entries.js';

const PAUSE_MS = 1_000;
/** Entries that are worth a read before the ones at hand are settled. */
const ENOUGH = 64;
/** Taken once, so that a test with fake timers does not stop the reading. */
const immediate = setImmediate;

/** Read, by stream. */
export type Entries = ReadonlyMap<string, readonly StreamEntry[]>;

/** What is to be read. */
export interface Wanted {
  readonly keys: readonly string[];
  readonly count: number;
}

/** What a reader is made with. */
export interface StreamReaderOptions {
  readonly group: string;
  readonly consumer: string;
  /** The streams to read now, and how many entries of each at most, when these have been handed over too. */
  readonly wanted: (coming?: Entries) => Wanted;
  readonly onEntries: (key: string, entries: readonly StreamEntry[]) => void;
  /** The group is gone from one of them: makes it anew. */
  readonly onMissing: () => Promise<void>;
  readonly onRefused: (error: unknown) => void;
  /** Commands to the server that has these streams. */
  readonly commands: () => Connection;
}

export class StreamReader {
  readonly #options: StreamReaderOptions;
  #connection: Connection | undefined;
  #id: number | undefined;
  #waiting: ReadonlySet<string> | undefined;
  #waking = false;
  /** Between two reads. */
  #resting = false;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #rearmed: (() => void)[] = [];

  constructor(options: StreamReaderOptions) {
    this.#options = options;
  }

  async attach(connection: Connection): Promise<void> {
    this.#connection = connection;
    // Users that may not ask for it wait until the read ends by itself.
    this.#id = await connection.call('client', 'ID').then(Number, () => undefined);
    this.#read();
  }

  detach(): void {
    this.#connection = undefined;
    this.#waiting = undefined;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#tell();
  }

  /** Other streams are wanted than before. */
  changed(): void {
    if (this.#connection === undefined || this.#pause !== undefined || this.#resting) return;
    const waiting = this.#waiting;
    if (waiting === undefined) return this.#read();
    if (!this.#options.wanted().keys.every((key) => waiting.has(key))) this.#wake();
  }

  /** Resolves when no read waits for a stream that is not wanted any more. */
  settled(): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === undefined) return Promise.resolve();
    const wanted = new Set(this.#options.wanted().keys);
    if ([...waiting].every((key) => wanted.has(key))) return Promise.resolve();
    this.#wake();
    return new Promise((resolve) => this.#rearmed.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    if (this.#waking || waiting === undefined || this.#id === undefined) return;
    this.#waking = true;
    const again = () => {
      this.#waking = false;
      if (this.#waiting === waiting) this.#wake();
    };
    const given = () => {
      this.#waking = false;
    };
    this.#options
      .commands()
      .send('client', ['UNBLOCK', this.#id], (woken) => (woken === 1 ? given() : again()), given);
  }

  #read(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#waiting !== undefined) return;
    const wanted = this.#options.wanted();
    this.#waiting = wanted.keys.length === 0 ? undefined : new Set(wanted.keys);
    this.#tell();
    if (wanted.keys.length > 0) this.#ask(connection, wanted);
  }

  #ask(connection: Connection, { keys, count }: Wanted): void {
    const { group, consumer, onEntries } = this.#options;
    connection.send(
      'xreadgroup',
      [
        'GROUP',
        group,
        consumer,
        'COUNT',
        count,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        ...keys,
        ...keys.map(() => '>'),
      ],
      (reply) => {
        if (connection !== this.#connection) return;
        const streams = readStreams(reply);
        const ahead = this.#askAhead(connection, streams);
        // What is taken changes what is wanted; that is looked at once.
        for (const [key, entries] of streams) onEntries(key, entries);
        if (ahead) return;
        this.#waiting = undefined;
        // What was settled of it is acknowledged first.
        this.#resting = true;
        immediate(() => {
          this.#resting = false;
          if (connection === this.#connection) this.#read();
        });
      },
      (error) => void this.#failed(connection, error),
    );
  }

  /** While these are handled, the server looks for the next, where there is room for a good number of them. */
  #askAhead(connection: Connection, coming: Entries): boolean {
    const waiting = this.#waiting;
    if (coming.size === 0 || waiting === undefined || this.#rearmed.length > 0) return false;
    const wanted = this.#options.wanted(coming);
    const keys = new Set(wanted.keys);
    // A stream that these fill up is left out by the next read, when it knows that it is full.
    if (wanted.count < ENOUGH || ![...waiting].every((key) => keys.has(key))) return false;
    this.#waiting = keys;
    this.#ask(connection, wanted);
    return true;
  }

  async #failed(connection: Connection, error: unknown): Promise<void> {
    if (connection !== this.#connection || !connection.alive) return;
    this.#waiting = undefined;
    if (isMissingStream(error)) {
      try {
        await this.#options.onMissing();
        if (connection === this.#connection) this.#read();
        return;
      } catch (failed) {
        if (connection !== this.#connection || !connection.alive) return;
        this.#options.onRefused(failed);
      }
    } else this.#options.onRefused(error);
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.#read();
    }, PAUSE_MS);
    this.#tell();
  }

  #tell(): void {
    for (const resolve of this.#rearmed.splice(0)) resolve();
  }
}
