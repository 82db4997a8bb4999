/** Which partition of its topic a record goes to. */
import { Partitioners } from './kafkajs.js';
import type { Outgoing } from './partition-queue.js';

export class Partitioner {
  /** By topic, what goes there without a key. */
  readonly #turn = new Map<string, number>();
  readonly #hash = Partitioners.DefaultPartitioner();

  /** The one that is asked for, or was chosen before; else by the key, as other clients choose it. */
  choose({ chosen, partition, record, topic }: Outgoing, count: number): number {
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

  /** What waited for this partition goes out: what comes without a key goes to the next one. */
  advance(topic: string, partition: number): void {
    this.#turn.set(topic, partition + 1);
  }
}
