/** What waits for one partition, and how much of it a request takes. */
import type { CommlibError } from '@commlib/core';
import type { OutRecord } from './protocol.js';
import type { Batch, Sequences } from './sequences.js';

/** A record to send. */
export interface Outgoing {
  readonly topic: string;
  readonly record: OutRecord;
  readonly partition?: number | undefined;
  /** The topic must be there: it is not made for this record. */
  readonly existing?: boolean | undefined;
  /** With which others it was sent before: set when it is sent. */
  batch?: Batch | undefined;
  /** It was refused together with others, for one of them: it goes by itself now. */
  single?: boolean;
  /** The partition it was sent to before: set by the lane. */
  chosen?: number | undefined;
}

/** A record on its way, and who is told of it. */
export interface Entry {
  readonly out: Outgoing;
  readonly size: number;
  /** Handed to the connection: for those who do not wait for more. */
  readonly handed: (() => void) | undefined;
  readonly done: (error?: CommlibError) => void;
}

/** What one request takes of a queue. */
export interface Taken {
  readonly queue: PartitionQueue;
  readonly entries: readonly Entry[];
}

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  /** Its last request failed: until one works it gets requests of its own, since an answer does not say which part is bad. */
  alone: boolean;
  /** Since when the broker has taken nothing of what was sent. */
  refusedSince: number | undefined;
  readonly #entries: Entry[] = [];
  #bytes = 0;

  constructor(topic: string, partition: number, alone: boolean) {
    this.topic = topic;
    this.partition = partition;
    this.alone = alone;
  }

  /** As {@link Sequences} know the partition. */
  get key(): string {
    return `${this.topic}/${this.partition}`;
  }

  get empty(): boolean {
    return this.#entries.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.size;
  }

  /** Before everything that waits, since it was there first. */
  putBack(entries: readonly Entry[]): void {
    this.#entries.unshift(...entries);
    for (const { size } of entries) this.#bytes += size;
  }

  /** The next batch: one that was sent before as it was, one record that goes by itself, or as much as fits. */
  take(maxBytes: number, sequences: Sequences | undefined): Entry[] {
    const generation = sequences?.generation;
    const first = this.#entries[0]?.out;
    const before = first?.batch;
    const isOld = before !== undefined && before.generation === generation;
    let bytes = 0;
    let count = 0;
    for (const { out, size } of this.#entries) {
      if (isOld ? out.batch !== before : out.batch !== undefined && out.batch.generation === generation)
        break;
      if (!isOld && count > 0 && (bytes + size > maxBytes || out.single || first?.single)) break;
      bytes += size;
      count++;
    }
    const entries = this.#entries.splice(0, count);
    this.#bytes -= bytes;
    // Some of the batch are gone: the rest is another batch, with numbers the broker does not expect.
    if (isOld && before.size !== count) sequences?.reset();
    return entries;
  }

  /** Whatever waits here fails. */
  fail(error: CommlibError): void {
    this.#bytes = 0;
    for (const entry of this.#entries.splice(0)) entry.done(error);
  }
}
