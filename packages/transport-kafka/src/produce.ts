/** One produce request and what its answer means: all is stored, some of it is sent again, or it is given up. */
import { compressionType } from './codecs.js';
import { isLinkError, isPassing, operationError, typeOf } from './errors.js';
import type { Link } from './link.js';
import type { KafkaConfig } from './options.js';
import type { Entry, PartitionQueue, Taken } from './partition-queue.js';
import { pause } from './pause.js';
import type { TopicData } from './protocol.js';
import type { Sequences } from './sequences.js';
import type { Topics } from './topics.js';

/** After an answer that says "not now". */
const AGAIN_MS = 50;

/** With these the broker says that it has stored nothing: not its partition, or not yet. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
/** So long an at-most-once message is sent anew then, in milliseconds: a new topic has its leader in far less. */
const PATIENCE_MS = 10_000;

/** Errors after which the numbers of our batches are worth nothing any more. */
const LOST_NUMBERS: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
]);

/** Over what records are sent, and how. */
export interface ProduceOptions {
  readonly link: Link;
  readonly topics: Topics;
  readonly config: KafkaConfig;
  readonly acks: -1 | 0 | 1;
  /** At least once: the broker recognises what is sent again. */
  readonly sequences?: Sequences | undefined;
}

export class ProduceRequests {
  readonly #options: ProduceOptions;
  readonly #again: (taken: readonly Taken[]) => void;

  /** `again` is given what is to be sent once more, before what waits in its queue. */
  constructor(options: ProduceOptions, again: (taken: readonly Taken[]) => void) {
    this.#options = options;
    this.#again = again;
  }

  /** Resolves when every entry has been told, or is to be sent once more. */
  async send(node: number, taken: readonly Taken[]): Promise<void> {
    const { link, config, acks, sequences } = this.#options;
    const producer = sequences?.producer;
    for (const { queue, entries } of taken) {
      const old = entries[0]?.out.batch;
      if (!sequences || old?.generation === sequences.generation) continue;
      const batch = sequences.take(queue.key, entries.length);
      for (const entry of entries) entry.out.batch = batch;
    }
    try {
      const broker = await link.broker(node);
      const answer = broker.produce({
        acks,
        timeout: config.requestTimeoutMs,
        compression: compressionType(config.compression),
        ...(producer ? { producerId: producer.id, producerEpoch: producer.epoch } : {}),
        topicData: topicData(taken),
      });
      for (const { entries } of taken) for (const entry of entries) entry.handed?.();
      await answer;
      for (const { queue, entries } of taken) {
        queue.alone = false;
        queue.refusedSince = undefined;
        for (const entry of entries) entry.done();
      }
    } catch (error) {
      await this.#failed(error, taken);
    }
  }

  async #failed(error: unknown, taken: readonly Taken[]): Promise<void> {
    const { link, sequences } = this.#options;
    if (isLinkError(error) || !link.alive) {
      const known = link.failed(error);
      // At least once, the outbox has them still, and hears of the loss itself.
      if (!sequences) for (const { entries } of taken) for (const entry of entries) entry.done(known);
    } else if (sequences) await this.#refusedNumbered(error, taken, sequences);
    else await this.#refused(error, taken);
  }

  /** At most once: only what is surely not stored is sent once more. */
  async #refused(error: unknown, taken: readonly Taken[]): Promise<void> {
    const { link, topics } = this.#options;
    const type = typeOf(error);
    const [first] = taken;
    if (first && taken.length === 1 && type !== undefined && NOT_TAKEN.has(type)) {
      // A reply topic that is gone is not made again.
      const gone = type === 'UNKNOWN_TOPIC_OR_PARTITION' && first.entries.some(({ out }) => out.existing);
      const since = first.queue.refusedSince ?? performance.now();
      if (!gone && performance.now() - since < PATIENCE_MS) {
        first.queue.refusedSince = since;
        topics.forget(first.queue.topic);
        await pause(AGAIN_MS);
        if (link.alive) return this.#again(taken);
        const lost = link.failed(error);
        for (const entry of first.entries) entry.done(lost);
        return;
      }
    }
    if (first && taken.length === 1 && hidesOne(type, first.entries)) return this.#singly(first);
    if (isPassing(error)) for (const { queue } of taken) topics.forget(queue.topic);
    for (const { queue, entries } of taken) giveUp(error, queue, entries);
  }

  /** At least once: sent until it is stored, or refused for what it is. */
  async #refusedNumbered(error: unknown, taken: readonly Taken[], sequences: Sequences): Promise<void> {
    const [first] = taken;
    if (!first) return;
    if (taken.length > 1) {
      for (const { queue } of taken) queue.alone = true;
      this.#again(taken);
      return;
    }
    const { topics } = this.#options;
    const { queue, entries } = first;
    const type = typeOf(error);
    if (type === 'DUPLICATE_SEQUENCE_NUMBER') {
      // It was stored by the first of two attempts.
      for (const entry of entries) entry.done();
    } else if (type !== undefined && LOST_NUMBERS.has(type)) {
      sequences.reset();
      this.#again(taken);
    } else if (isPassing(error) || type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      topics.forget(queue.topic);
      await pause(AGAIN_MS);
      this.#again(taken);
    } else {
      const batch = entries[0]?.out.batch;
      if (batch) sequences.giveBack(queue.key, batch);
      if (hidesOne(type, entries)) this.#singly(first);
      else giveUp(error, queue, entries);
    }
  }

  #singly(taken: Taken): void {
    for (const { out } of taken.entries) {
      out.batch = undefined;
      out.single = true;
    }
    this.#again([taken]);
  }
}

/** The broker refused all of a batch for one of its records. */
function hidesOne(type: string | undefined, entries: readonly Entry[]): boolean {
  return type === 'MESSAGE_TOO_LARGE' && entries.length > 1;
}

function giveUp(error: unknown, { topic }: PartitionQueue, entries: readonly Entry[]): void {
  const known = operationError(error, `a message to ${topic}`);
  for (const entry of entries) entry.done(known);
}

function topicData(taken: readonly Taken[]): TopicData[] {
  const byTopic = new Map<string, TopicData['partitions'][number][]>();
  for (const { queue, entries } of taken) {
    const part = {
      partition: queue.partition,
      firstSequence: entries[0]?.out.batch?.first ?? 0,
      messages: entries.map((entry) => entry.out.record),
    };
    const partitions = byTopic.get(queue.topic);
    if (partitions) partitions.push(part);
    else byTopic.set(queue.topic, [part]);
  }
  return [...byTopic].map(([topic, partitions]) => ({ topic, partitions }));
}
