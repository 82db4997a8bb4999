/**
 * Reading partitions without a consumer group: a position for each, one loop of fetch requests per broker. Partitions may be
 * added and taken away while it runs, which kafkajs' own consumer does not allow.
 */
import { CommlibError, DecodeError, type TransportEvent } from '@commlib/core';
import type { Cluster } from 'kafkajs';
import { UnreadableBatch } from './codecs.js';
import { isLinkError, isPassing, operationError, typeOf } from './errors.js';
import type { Link } from './link.js';
import type { KafkaConfig } from './options.js';
import { pause } from './pause.js';
import type { FetchedPartition, FetchedRecord } from './protocol.js';
import type { Topics } from './topics.js';

/** As kafkajs' consumers. */
const PARTITION_BYTES = 1_048_576;
const TOTAL_BYTES = 10_485_760;
const READ_COMMITTED = 1;
/** After an error of unknown kind, and between looks for a topic that was deleted. */
const AGAIN_MS = 500;

/** A partition that is read. */
export interface Cursor {
  readonly topic: string;
  readonly partition: number;
  /** The offset read next. */
  position: number;
  /** Not read for now. */
  paused: boolean;
  /** Records from `position` on, in order; `position` is already behind them. Must not throw. */
  deliver(records: readonly FetchedRecord[]): void;
}

interface Loop {
  readonly node: number;
  wake: (() => void) | undefined;
}

export class Fetcher {
  readonly #link: Link;
  readonly #topics: Topics;
  readonly #config: KafkaConfig;
  readonly #cluster: Cluster | undefined;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #cursors = new Set<Cursor>();
  readonly #loops = new Map<number, Loop>();
  /** Partitions whose leader is looked for. */
  readonly #homeless = new Set<string>();
  #stopped = false;

  constructor(
    link: Link,
    topics: Topics,
    config: KafkaConfig,
    cluster: Cluster | undefined,
    onEvent: (event: TransportEvent) => void,
  ) {
    this.#link = link;
    this.#topics = topics;
    this.#config = config;
    this.#cluster = cluster;
    this.#onEvent = onEvent;
  }

  add(cursor: Cursor): void {
    this.#cursors.add(cursor);
    this.wake(cursor);
  }

  remove(cursor: Cursor): void {
    this.#cursors.delete(cursor);
  }

  /** It may be read again, or for the first time. */
  wake(cursor: Cursor): void {
    const leaders = this.#topics.known(cursor.topic);
    if (!leaders) return void this.#find(cursor.topic);
    const node = leaders[cursor.partition];
    if (node === undefined) return; // The topic was made anew, with fewer partitions.
    const loop = this.#loops.get(node);
    if (loop) return loop.wake?.();
    const made: Loop = { node, wake: undefined };
    this.#loops.set(node, made);
    void this.#run(made);
  }

  stop(): void {
    this.#stopped = true;
    for (const loop of this.#loops.values()) loop.wake?.();
  }

  async #run(loop: Loop): Promise<void> {
    while (!this.#stopped && this.#link.alive) {
      const cursors = this.#readable(loop.node);
      if (cursors.length === 0) {
        await new Promise<void>((resolve) => {
          loop.wake = resolve;
        });
        loop.wake = undefined;
        continue;
      }
      try {
        await this.#fetch(loop.node, cursors, TOTAL_BYTES);
      } catch (error) {
        if (this.#stopped || !this.#link.alive) return;
        await this.#recover(error, loop.node, cursors).catch(async (again) => {
          // What failed while trying to go on is met again by the next request.
          if (isLinkError(again)) this.#link.failed(again);
          else await pause(AGAIN_MS);
        });
      }
    }
  }

  #readable(node: number): Cursor[] {
    const readable: Cursor[] = [];
    for (const cursor of this.#cursors) {
      const leaders = this.#topics.known(cursor.topic);
      if (!leaders) void this.#find(cursor.topic);
      else if (leaders[cursor.partition] === node && !cursor.paused) readable.push(cursor);
    }
    return readable;
  }

  async #fetch(
    node: number,
    cursors: readonly Cursor[],
    maxBytes: number,
    partitionBytes = PARTITION_BYTES,
  ): Promise<void> {
    const byTopic = new Map<string, Map<number, { cursor: Cursor; from: number }>>();
    for (const cursor of cursors) {
      const asked = { cursor, from: cursor.position };
      const partitions = byTopic.get(cursor.topic);
      if (partitions) partitions.set(cursor.partition, asked);
      else byTopic.set(cursor.topic, new Map([[cursor.partition, asked]]));
    }
    const broker = await this.#link.broker(node, this.#cluster);
    const { responses } = await broker.fetch({
      isolationLevel: READ_COMMITTED,
      maxWaitTime: this.#config.fetchWaitMs,
      minBytes: 1,
      maxBytes,
      topics: [...byTopic].map(([topic, partitions]) => ({
        topic,
        partitions: [...partitions].map(([partition, { from }]) => ({
          partition,
          fetchOffset: String(from),
          maxBytes: partitionBytes,
        })),
      })),
    });
    if (this.#stopped) return;
    for (const { topicName, partitions } of responses) {
      for (const fetched of partitions) {
        const asked = byTopic.get(topicName)?.get(fetched.partition);
        if (asked && fetched.messages.length > 0) this.#deliver(asked.cursor, asked.from, fetched);
      }
    }
  }

  #deliver(cursor: Cursor, from: number, fetched: FetchedPartition): void {
    // It may have been moved or taken away while the request was under way.
    if (!this.#cursors.has(cursor) || cursor.position !== from) return;
    const records = visible(fetched, from);
    const last = fetched.messages.at(-1);
    if (last) cursor.position = Math.max(cursor.position, endOf(last));
    if (records.length > 0) cursor.deliver(records);
  }

  /** A response is read as a whole by kafkajs: one bad partition spoils it, so they are tried one by one. */
  async #recover(error: unknown, node: number, cursors: readonly Cursor[]): Promise<void> {
    if (isLinkError(error)) {
      this.#link.failed(error);
      return;
    }
    if (cursors.length > 1) {
      for (const cursor of cursors) {
        if (this.#stopped || !this.#link.alive) return;
        if (cursor.paused || !this.#cursors.has(cursor)) continue;
        try {
          await this.#fetch(node, [cursor], TOTAL_BYTES);
        } catch (own) {
          await this.#recover(own, node, [cursor]);
        }
      }
      return;
    }
    const [cursor] = cursors;
    if (!cursor) return;
    const batch = unreadable(error);
    const type = typeOf(error);
    if (batch) await this.#pass(cursor, node, batch);
    else if (type === 'OFFSET_OUT_OF_RANGE') await this.#reposition(cursor, error);
    else if (isPassing(error) || type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      this.#topics.forget(cursor.topic);
      // Not awaited: the other partitions of this broker are read meanwhile.
      void this.#find(cursor.topic);
    } else {
      this.#onEvent({
        type: 'dropped',
        address: cursor.topic,
        error: operationError(error, `partition ${cursor.partition} of ${cursor.topic} cannot be read`),
      });
      await pause(AGAIN_MS);
    }
  }

  /** Goes over a batch that cannot be unpacked, and says so. */
  async #pass(cursor: Cursor, node: number, batch: UnreadableBatch): Promise<void> {
    if (batch.firstOffset > cursor.position) {
      // The batches before it were in the same response; a broker never sends less than one whole batch.
      return this.#fetch(node, [cursor], 1, 1);
    }
    const reason = `offsets ${batch.firstOffset} to ${batch.lastOffset} of partition ${cursor.partition} are packed by ${batch.codec}; give its codec in the option codecs`;
    cursor.position = Math.max(cursor.position, batch.lastOffset + 1);
    this.#onEvent({ type: 'dropped', address: cursor.topic, error: new DecodeError('MALFORMED', reason) });
  }

  /** Retention has taken what it was to read next, or the topic was made anew. */
  async #reposition(cursor: Cursor, error: unknown): Promise<void> {
    const leaders = this.#topics.known(cursor.topic);
    if (!leaders) return;
    try {
      const beginning = (await this.#topics.beginnings(cursor.topic, leaders))[cursor.partition] ?? 0;
      const from = cursor.position;
      cursor.position = beginning;
      const text = `offset ${from} of partition ${cursor.partition} is gone; reading goes on at ${beginning}`;
      this.#onEvent({
        type: 'dropped',
        address: cursor.topic,
        error: new CommlibError('POSITION_LOST', text, { cause: error }),
      });
    } catch {
      await pause(AGAIN_MS);
    }
  }

  /** The leaders changed, or the topic went; it may come back. */
  async #find(topic: string): Promise<void> {
    if (this.#homeless.has(topic)) return;
    this.#homeless.add(topic);
    try {
      while (
        !this.#stopped &&
        this.#link.alive &&
        [...this.#cursors].some((cursor) => cursor.topic === topic)
      ) {
        if (await this.#topics.find(topic)) break;
        await pause(AGAIN_MS);
      }
    } catch {
      await pause(AGAIN_MS);
    }
    this.#homeless.delete(topic);
    if (this.#stopped || !this.#link.alive) return;
    for (const cursor of this.#cursors) if (cursor.topic === topic) this.wake(cursor);
  }
}

function unreadable(error: unknown): UnreadableBatch | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (at instanceof UnreadableBatch) return at;
  return undefined;
}

/** The offset behind a record's batch where it is the last of it that was kept, else behind the record. */
function endOf(record: FetchedRecord): number {
  const { batchContext } = record;
  const end = Number(record.offset) + 1;
  return batchContext
    ? Math.max(end, Number(batchContext.firstOffset) + batchContext.lastOffsetDelta + 1)
    : end;
}

/** What an application is to see: from the position on, without marks of transactions and what was aborted. */
function visible(fetched: FetchedPartition, position: number): readonly FetchedRecord[] {
  const aborted = fetched.abortedTransactions ?? [];
  const first = fetched.messages[0];
  if (aborted.length === 0 && first && Number(first.offset) >= position && !fetched.messages.some(isMark)) {
    return fetched.messages;
  }
  const coming = [...aborted].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  const open = new Set<string>();
  const records: FetchedRecord[] = [];
  for (const record of fetched.messages) {
    const offset = Number(record.offset);
    for (let next = coming[0]; next && Number(next.firstOffset) <= offset; next = coming[0]) {
      open.add(next.producerId);
      coming.shift();
    }
    const producer = record.batchContext?.producerId ?? '';
    if (isMark(record)) open.delete(producer);
    else if (offset >= position && !(record.batchContext?.inTransaction && open.has(producer)))
      records.push(record);
  }
  return records;
}

function isMark(record: FetchedRecord): boolean {
  return record.isControlRecord === true;
}
