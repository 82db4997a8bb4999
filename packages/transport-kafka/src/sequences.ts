/**
 * The numbers by which a broker recognises a batch it has already: they outlive a connection, so that what was under way at
 * the loss and is sent again is stored once.
 */
import type { BrokerApi } from './protocol.js';

/** Records that were sent together, and are sent again only together: the broker compares first and last number. */
export interface Batch {
  readonly generation: number;
  readonly first: number;
  readonly size: number;
}

export class Sequences {
  #producer: { readonly id: string; readonly epoch: number } | undefined;
  #asking: Promise<void> | undefined;
  readonly #next = new Map<string, number>();
  /** One higher for each producer id. */
  generation = 0;

  get producer(): { readonly id: string; readonly epoch: number } | undefined {
    return this.#producer;
  }

  /** Makes sure there is a producer id. */
  ensure(broker: () => Promise<BrokerApi>): Promise<void> {
    if (this.#producer) return Promise.resolve();
    this.#asking ??= this.#ask(broker).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Numbers for a batch of so many records to a partition. */
  take(partition: string, size: number): Batch {
    const first = this.#next.get(partition) ?? 0;
    this.#next.set(partition, wrap(first + size));
    return { generation: this.generation, first, size };
  }

  /** The broker refused the batch for good: the next one takes its numbers. */
  giveBack(partition: string, batch: Batch): void {
    if (batch.generation === this.generation) this.#next.set(partition, batch.first);
  }

  /** The broker knows nothing of our numbers, or others: begins anew, at the price that it may store a batch twice. */
  reset(): void {
    this.#producer = undefined;
    this.#next.clear();
    this.generation++;
  }

  async #ask(broker: () => Promise<BrokerApi>): Promise<void> {
    const { producerId, producerEpoch } = await (await broker()).initProducerId({
      transactionTimeout: 30_000,
    });
    this.#producer = { id: producerId, epoch: producerEpoch };
  }
}

/** Sequence numbers are of 31 bits and begin again at 0. */
function wrap(sequence: number): number {
  return sequence > 2_147_483_647 ? sequence - 2_147_483_648 : sequence;
}
