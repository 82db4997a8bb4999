/** One partition in the hands of a member of a group: what was read, what is with the handlers, and up to where all is done. */
import { Fifo } from '@commlib/core';
import type { Cursor } from './fetcher.js';
import type { FetchedRecord } from './protocol.js';

/** A record that was handed over. */
export interface Given {
  /** Deliveries so far. */
  attempt: number;
  done: boolean;
}

export class Part implements Cursor {
  readonly topic: string;
  readonly partition: number;
  position: number;
  paused = false;
  /** Taken away, or the connection is gone: what is settled now changes nothing. */
  lost = false;
  /** What the broker was last told. */
  committed: number;
  /** Something is being done with it that must end first. */
  busy = false;
  /** Read, and not handed over. */
  readonly waiting = new Fifo<FetchedRecord>();
  /** Handed over, in order, from the first that is not done. */
  readonly #given = new Map<number, Given>();
  /** What an earlier connection left: handed over and not committed. */
  readonly #before: ReadonlyMap<number, Given>;
  /** Everything below was handed over. */
  #end: number;
  readonly #arrived: () => void;

  constructor(
    topic: string,
    partition: number,
    position: number,
    before: Part | undefined,
    arrived: () => void,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.position = position;
    this.committed = position;
    this.#end = position;
    this.#before = before ? new Map([...before.#before, ...before.#given]) : new Map();
    this.#arrived = arrived;
  }

  /** Everything below is done. */
  get done(): number {
    for (const offset of this.#given.keys()) return offset;
    return this.#end;
  }

  deliver(records: readonly FetchedRecord[]): void {
    if (this.lost) return;
    for (const record of records) this.waiting.push(record);
    this.#arrived();
  }

  /** The next record for the handlers, and what is known of it; those that were done before a loss are passed over. */
  next(): { readonly record: FetchedRecord; readonly given: Given } | undefined {
    for (let record = this.waiting.shift(); record; record = this.waiting.shift()) {
      const offset = Number(record.offset);
      this.#end = offset + 1;
      const before = this.#before.get(offset);
      const given = { attempt: (before?.attempt ?? 0) + 1, done: before?.done === true };
      this.#given.set(offset, given);
      if (!given.done) return { record, given };
      this.#settle();
    }
    // Marks of transactions and gaps lie behind the last record, too.
    if (this.#given.size === 0) this.#end = this.position;
    return undefined;
  }

  acknowledge(given: Given): void {
    given.done = true;
    this.#settle();
  }

  #settle(): void {
    for (const [offset, given] of this.#given) {
      if (!given.done) return;
      this.#given.delete(offset);
    }
    if (this.waiting.length === 0) this.#end = this.position;
  }
}
