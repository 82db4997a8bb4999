/**
 * Records on their way out, gathered into requests: one request at a time to each broker, and what comes meanwhile goes
 * together in the next. So a lone record leaves at once, and a flood leaves in large pieces, without a timer.
 */
import type { CommlibError } from '@commlib/core';
import { compressionType } from './codecs.js';
import { isLinkError, isPassing, operationError, typeOf } from './errors.js';
import { Partitioners } from './kafkajs.js';
import type { Link } from './link.js';
import type { KafkaConfig } from './options.js';
import { pause } from './pause.js';
import type { OutRecord, TopicData } from './protocol.js';
import { sizeOf } from './record.js';
import type { Batch, Sequences } from './sequences.js';
import type { Leaders, Topics } from './topics.js';

/** One request's worth over all partitions; a broker takes 100 MB (`socket.request.max.bytes`). */
const REQUEST_BYTES = 8_000_000;
/** After an answer that says "not now". */
const AGAIN_MS = 50;

/** With these the broker says that it has stored nothing: not its partition, or not yet. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
/** So often an at-most-once message is sent anew then: for two seconds, as a new topic needs at the most. */
const MAX_AGAIN = 40;

/** Errors after which the numbers of our batches are worth nothing any more. */
const LOST_NUMBERS: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
]);

/** A record to send. */
export interface Outgoing {
  readonly topic: string;
  readonly record: OutRecord;
  readonly partition?: number | undefined;
  /** The topic must be there: it is not made for this record. */
  readonly existing?: boolean | undefined;
  /** With which others it was sent before: set by the lane. */
  batch?: Batch | undefined;
  /** The partition it was sent to before: set by the lane. */
  chosen?: number | undefined;
}

interface Entry {
  readonly out: Outgoing;
  readonly size: number;
  /** Handed to the connection: for those who do not wait for more. */
  readonly handed: (() => void) | undefined;
  readonly done: (error?: CommlibError) => void;
}

/** What waits for one partition. */
interface Queue {
  readonly topic: string;
  readonly partition: number;
  entries: Entry[];
  bytes: number;
  /** Its last request failed: until one works it gets requests of its own, since an answer does not say which part is bad. */
  alone: boolean;
  /** How often in a row the broker has not taken what was sent. */
  again: number;
}

interface Target {
  readonly due: Set<Queue>;
  busy: boolean;
  scheduled: boolean;
  lastSent: number;
}

export interface LaneOptions {
  readonly link: Link;
  readonly topics: Topics;
  readonly config: KafkaConfig;
  readonly acks: -1 | 0 | 1;
  /** At least once: the broker recognises what is sent again. */
  readonly sequences?: Sequences | undefined;
}

export class Lane {
  readonly #options: LaneOptions;
  readonly #queues = new Map<string, Queue[]>();
  readonly #targets = new Map<number, Target>();
  readonly #awaited = new Map<string, Entry[]>();
  /** Topics that were looked up, and perhaps made: their first requests go by themselves, as their leaders may not know yet. */
  readonly #fresh = new Set<string>();
  readonly #turn = new Map<string, number>();
  readonly #hash = Partitioners.DefaultPartitioner();

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  push(out: Outgoing, done: (error?: CommlibError) => void, handed?: () => void): void {
    const entry: Entry = { out, size: sizeOf(out.record), handed, done };
    const leaders = this.#options.topics.known(out.topic);
    const awaited = this.#awaited.get(out.topic);
    if (awaited) awaited.push(entry);
    else if (leaders) this.#enqueue(entry, leaders);
    else {
      this.#awaited.set(out.topic, [entry]);
      void this.#lookUp(out.topic, out.existing === true);
    }
  }

  /** The connection is gone: whatever waits here fails. What is under way hears of it by its request. */
  fail(error: CommlibError): void {
    for (const queues of this.#queues.values()) {
      for (const queue of queues) {
        if (!queue) continue; // Partitions that nothing was sent to.
        queue.bytes = 0;
        for (const entry of queue.entries.splice(0)) entry.done(error);
      }
    }
    for (const entries of this.#awaited.values()) for (const entry of entries.splice(0)) entry.done(error);
  }

  /** What waits for a topic that is not known yet goes on when it is; an error ends all of it. */
  async #lookUp(topic: string, existing: boolean): Promise<void> {
    const { topics, link } = this.#options;
    try {
      const leaders = existing ? await topics.find(topic) : await topics.need(topic);
      const entries = this.#awaited.get(topic) ?? [];
      this.#awaited.delete(topic);
      this.#fresh.add(topic);
      if (leaders) {
        for (const entry of entries) this.#enqueue(entry, leaders);
        return;
      }
      const gone = operationError(new Error('there is no such topic'), `a message to ${topic}`);
      for (const entry of entries) {
        if (entry.out.existing) entry.done(gone);
        // Others do want it made.
        else this.push(entry.out, entry.done, entry.handed);
      }
    } catch (error) {
      const known = link.failed(error);
      const entries = this.#awaited.get(topic) ?? [];
      this.#awaited.delete(topic);
      const shown = link.alive ? operationError(error, `a message to ${topic}`) : known;
      for (const entry of entries) entry.done(shown);
    }
  }

  #enqueue(entry: Entry, leaders: Leaders): void {
    const { out } = entry;
    const partition = this.#partitionOf(out, leaders.length);
    const node = leaders[partition];
    if (node === undefined) {
      entry.done(
        operationError(new Error(`there is no partition ${partition}`), `a message to ${out.topic}`),
      );
      return;
    }
    const queue = this.#queueOf(out.topic, partition);
    out.chosen = partition;
    queue.entries.push(entry);
    queue.bytes += entry.size;
    this.#due(node, queue);
  }

  #partitionOf({ chosen, partition, record, topic }: Outgoing, count: number): number {
    if (partition !== undefined) return partition;
    if (chosen !== undefined && chosen < count) return chosen;
    if (count === 1) return 0;
    // Without a key one partition at a time, for larger pieces; which one changes with each request.
    if (record.key === null) return (this.#turn.get(topic) ?? 0) % count;
    const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
      partitionId,
      leader: 0,
      partitionErrorCode: 0,
      replicas: [],
      isr: [],
    }));
    return this.#hash({ topic, partitionMetadata, message: { key: record.key, value: null } });
  }

  #queueOf(topic: string, partition: number): Queue {
    let queues = this.#queues.get(topic);
    if (!queues) {
      queues = [];
      this.#queues.set(topic, queues);
    }
    const queue = queues[partition] ?? {
      topic,
      partition,
      entries: [],
      bytes: 0,
      alone: this.#fresh.has(topic),
      again: 0,
    };
    queues[partition] = queue;
    return queue;
  }

  #due(node: number, queue: Queue): void {
    let target = this.#targets.get(node);
    if (!target) {
      target = { due: new Set(), busy: false, scheduled: false, lastSent: Number.NEGATIVE_INFINITY };
      this.#targets.set(node, target);
    }
    target.due.add(queue);
    if (target.busy) return;
    const { lingerMs, maxBatchBytes } = this.#options.config;
    const waitMs = lingerMs === 0 ? 0 : target.lastSent + lingerMs - performance.now();
    if (waitMs > 0 && queue.bytes < maxBatchBytes) {
      if (!target.scheduled) this.#schedule(node, target, (go) => setTimeout(go, waitMs));
    } else if (!target.scheduled || queue.bytes >= maxBatchBytes) {
      // At the end of this turn: what is sent in one loop goes in one piece.
      this.#schedule(node, target, queueMicrotask);
    }
  }

  #schedule(node: number, target: Target, when: (go: () => void) => void): void {
    target.scheduled = true;
    when(() => {
      target.scheduled = false;
      if (!target.busy && target.due.size > 0) void this.#send(node, target);
    });
  }

  async #send(node: number, target: Target): Promise<void> {
    target.busy = true;
    const { link, sequences } = this.#options;
    try {
      if (sequences && !sequences.producer) await sequences.ensure(() => link.anyBroker());
      const taken = this.#takeAll(target);
      if (taken.length > 0) await this.#request(node, taken);
    } catch (error) {
      if (!link.alive) return;
      link.failed(error);
      if (!link.alive) return;
      // Only the producer id can have failed here: the broker may be starting.
      await pause(AGAIN_MS);
    }
    target.busy = false;
    target.lastSent = performance.now();
    if (!link.alive || target.due.size === 0) return;
    const { lingerMs } = this.#options.config;
    // Those who waited for this answer may have more to send: they have this turn for it.
    this.#schedule(node, target, lingerMs > 0 ? (go) => setTimeout(go, lingerMs) : setImmediate);
  }

  #takeAll(target: Target): Taken[] {
    const taken: Taken[] = [];
    let bytes = 0;
    for (const queue of target.due) {
      if (queue.alone && taken.length > 0) continue;
      const entries = this.#take(queue);
      if (queue.entries.length === 0) target.due.delete(queue);
      if (entries.length === 0) continue;
      for (const entry of entries) bytes += entry.size;
      taken.push({ queue, entries });
      this.#turn.set(queue.topic, queue.partition + 1);
      if (queue.alone || bytes > REQUEST_BYTES) break;
    }
    return taken;
  }

  /** The next batch of a partition: one that was sent before as it was, or as much as fits. */
  #take(queue: Queue): Entry[] {
    const { maxBatchBytes } = this.#options.config;
    const generation = this.#options.sequences?.generation;
    const before = queue.entries[0]?.out.batch;
    const isOld = before !== undefined && before.generation === generation;
    let bytes = 0;
    let count = 0;
    for (const { out, size } of queue.entries) {
      if (isOld ? out.batch !== before : out.batch !== undefined && out.batch.generation === generation)
        break;
      if (!isOld && count > 0 && bytes + size > maxBatchBytes) break;
      bytes += size;
      count++;
    }
    const entries = queue.entries.splice(0, count);
    queue.bytes -= bytes;
    // Some of the batch are gone: the rest is another batch, with numbers the broker does not expect.
    if (isOld && before.size !== count) this.#options.sequences?.reset();
    return entries;
  }

  async #request(node: number, taken: readonly Taken[]): Promise<void> {
    const { link, config, acks, sequences } = this.#options;
    const producer = sequences?.producer;
    for (const { queue, entries } of taken) {
      const old = entries[0]?.out.batch;
      if (!sequences || old?.generation === sequences.generation) continue;
      const batch = sequences.take(keyOf(queue), entries.length);
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
        queue.again = 0;
        for (const entry of entries) entry.done();
      }
    } catch (error) {
      await this.#failed(error, taken);
    }
  }

  async #failed(error: unknown, taken: readonly Taken[]): Promise<void> {
    const { link, topics, sequences } = this.#options;
    if (isLinkError(error) || !link.alive) {
      const known = link.failed(error);
      // At least once, the outbox has them still, and hears of the loss itself.
      if (!sequences) for (const { entries } of taken) for (const entry of entries) entry.done(known);
      return;
    }
    const type = typeOf(error);
    const [first] = taken;
    if (!first) return;
    if (!sequences && taken.length === 1 && type !== undefined && NOT_TAKEN.has(type)) {
      // A reply topic that is gone is not made again.
      const gone = type === 'UNKNOWN_TOPIC_OR_PARTITION' && first.entries.some(({ out }) => out.existing);
      if (!gone && first.queue.again++ < MAX_AGAIN) {
        topics.forget(first.queue.topic);
        await pause(AGAIN_MS);
        if (link.alive) return this.#backAgain(taken);
        const lost = link.failed(error);
        for (const entry of first.entries) entry.done(lost);
        return;
      }
    }
    if (!sequences) {
      if (isPassing(error)) for (const { queue } of taken) topics.forget(queue.topic);
      for (const { queue, entries } of taken) {
        const known = operationError(error, `a message to ${queue.topic}`);
        for (const entry of entries) entry.done(known);
      }
      return;
    }
    if (taken.length > 1) {
      for (const { queue } of taken) queue.alone = true;
      this.#backAgain(taken);
      return;
    }
    const { queue, entries } = first;
    if (type === 'DUPLICATE_SEQUENCE_NUMBER') {
      // It was stored by the first of two attempts.
      for (const entry of entries) entry.done();
    } else if (type !== undefined && LOST_NUMBERS.has(type)) {
      sequences.reset();
      this.#backAgain(taken);
    } else if (isPassing(error) || type === 'UNKNOWN_TOPIC_OR_PARTITION') {
      topics.forget(queue.topic);
      await pause(AGAIN_MS);
      this.#backAgain(taken);
    } else {
      const batch = entries[0]?.out.batch;
      if (batch) sequences.giveBack(keyOf(queue), batch);
      if (entries.length > 1 && type === 'MESSAGE_TOO_LARGE') {
        // One of them is: each is tried by itself.
        for (const entry of entries) entry.out.batch = undefined;
        await this.#oneByOne(queue, entries);
        return;
      }
      const known = operationError(error, `a message to ${queue.topic}`);
      for (const entry of entries) entry.done(known);
    }
  }

  async #oneByOne(queue: Queue, entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      const node = this.#options.topics.known(queue.topic)?.[queue.partition];
      if (node === undefined) this.#backAgain([{ queue, entries: [entry] }]);
      else await this.#request(node, [{ queue, entries: [entry] }]);
      if (!this.#options.link.alive) return;
    }
  }

  /** Before everything that waits, since it was there first. */
  #backAgain(taken: readonly Taken[]): void {
    const { topics } = this.#options;
    for (const { queue, entries } of taken) {
      queue.entries.unshift(...entries);
      for (const entry of entries) queue.bytes += entry.size;
      const node = topics.known(queue.topic)?.[queue.partition];
      if (node !== undefined) this.#due(node, queue);
      else void this.#moved(queue);
    }
  }

  /** Its leader must be found, and perhaps the topic be made again. */
  async #moved(queue: Queue): Promise<void> {
    const { link, topics } = this.#options;
    for (const target of this.#targets.values()) target.due.delete(queue);
    try {
      const node = (await topics.need(queue.topic))[queue.partition];
      if (node === undefined) throw new Error(`there is no partition ${queue.partition}`);
      this.#due(node, queue);
    } catch (error) {
      link.failed(error);
      if (!link.alive) return;
      const known = operationError(error, `a message to ${queue.topic}`);
      for (const entry of queue.entries.splice(0)) entry.done(known);
      queue.bytes = 0;
    }
  }
}

interface Taken {
  readonly queue: Queue;
  readonly entries: readonly Entry[];
}

function keyOf({ topic, partition }: Queue): string {
  return `${topic}/${partition}`;
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
