/**
 * One waiting read (XREADGROUP) over all streams of one group, on a connection of its own. When the streams change while it
 * waits, it is woken by CLIENT UNBLOCK, again and again until it is back: it may not have been waiting yet.
 */
import { BLOCK_MS, type Connection } from './connection.js';
import { isMissingStream } from './errors.js';
import { readStreams, type StreamEntry } from './stream-entries.js';

const PAUSE_MS = 1_000;
/** Taken once, so that a test with fake timers does not stop the reading. */
const immediate = setImmediate;

/** What a reader is made with. */
export interface StreamReaderOptions {
  readonly group: string;
  readonly consumer: string;
  /** The streams to read now, and how many entries of each at most. */
  readonly wanted: () => { readonly keys: readonly string[]; readonly count: number };
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
    const { group, consumer, wanted } = this.#options;
    const { keys, count } = wanted();
    this.#waiting = keys.length === 0 ? undefined : new Set(keys);
    this.#tell();
    if (keys.length === 0) return;
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
        // What is taken changes what is wanted; that is looked at once.
        for (const [key, entries] of readStreams(reply)) this.#options.onEntries(key, entries);
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
