/**
 * Records on their way out, each to the queue of its partition: those of a topic that is not known yet wait until it is found
 * or made.
 */
import type { CommlibError } from '@commlib/core';
import { Dispatcher } from './dispatcher.js';
import { operationError } from './errors.js';
import { type Entry, type Outgoing, PartitionQueue } from './partition-queue.js';
import { Partitioner } from './partitioner.js';
import type { ProduceOptions } from './produce.js';
import { sizeOf } from './record.js';
import type { Leaders } from './topics.js';

export class Lane {
  readonly #options: ProduceOptions;
  readonly #partitioner = new Partitioner();
  readonly #dispatcher: Dispatcher;
  /** By topic and partition. */
  readonly #queues = new Map<string, PartitionQueue[]>();
  readonly #awaited = new Map<string, Entry[]>();
  /** Topics that were looked up, and perhaps made: their first requests go by themselves, as their leaders may not know yet. */
  readonly #fresh = new Set<string>();

  constructor(options: ProduceOptions) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options, ({ topic, partition }) =>
      this.#partitioner.advance(topic, partition),
    );
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
      // Without partitions that nothing was sent to.
      queues.forEach((queue) => {
        queue.fail(error);
      });
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
    const partition = this.#partitioner.choose(out, leaders.length);
    const node = leaders[partition];
    if (node === undefined) {
      entry.done(
        operationError(new Error(`there is no partition ${partition}`), `a message to ${out.topic}`),
      );
      return;
    }
    const queue = this.#queueOf(out.topic, partition);
    out.chosen = partition;
    queue.add(entry);
    this.#dispatcher.due(node, queue);
  }

  #queueOf(topic: string, partition: number): PartitionQueue {
    let queues = this.#queues.get(topic);
    if (!queues) {
      queues = [];
      this.#queues.set(topic, queues);
    }
    const queue = queues[partition] ?? new PartitionQueue(topic, partition, this.#fresh.has(topic));
    queues[partition] = queue;
    return queue;
  }
}
