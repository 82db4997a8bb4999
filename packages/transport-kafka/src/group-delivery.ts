/** From the partitions of a group to the handlers: as much as there is room for, and no more read ahead than that needs. */
import { Flow, type Inbound } from '@commlib/core';
import type { Fetcher } from './fetcher.js';
import type { PartitionOffset } from './membership.js';
import type { Given, Part } from './part.js';
import type { FetchedRecord } from './protocol.js';
import { toInbound } from './record.js';

/** Read ahead of the handlers; reading stops above. */
const AHEAD = 500;

export interface GroupDeliveryOptions {
  readonly parts: ReadonlyMap<string, Part>;
  /** At least once. */
  readonly durable: boolean;
  readonly maxInFlight: number;
  readonly onMessage: (message: Inbound) => void;
  /** At least once: more is done than was committed. */
  readonly onDone: () => void;
  /** At most once, before the handlers; false: it was not written. */
  readonly commit: (offsets: readonly PartitionOffset[]) => Promise<boolean>;
  /** At most once: a partition was lost, as what was read of it could not be committed. */
  readonly onLost: () => void;
}

/** A record on its way to a handler and back. */
interface Delivery {
  readonly part: Part;
  readonly record: FetchedRecord;
  readonly given: Given;
}

/** What there is while a connection is. */
interface Attached {
  readonly fetcher: Pick<Fetcher, 'wake'>;
  readonly flow: Flow<Delivery>;
}

export class GroupDelivery {
  readonly #options: GroupDeliveryOptions;
  #attached: Attached | undefined;
  #open = true;
  #pumping = false;
  #pumpAgain = false;
  /** Something waits for room, or the reading does. */
  #left = false;

  constructor(options: GroupDeliveryOptions) {
    this.#options = options;
  }

  /** `fetcher` is woken for partitions that may be read again. */
  attach(fetcher: Pick<Fetcher, 'wake'>): void {
    const flow = new Flow<Delivery>({
      maxInFlight: this.#options.maxInFlight,
      inOrder: false, // Part keeps the order, per partition.
      deliver: (delivery, attempt, settle) => {
        delivery.given.attempt = attempt;
        if (!this.#open) return;
        const { topic, partition } = delivery.part;
        const count = this.#options.durable ? attempt : undefined;
        this.#options.onMessage(toInbound(topic, partition, delivery.record, settle, count));
      },
      onRoom: () => {
        if (this.#pumping || this.#left) this.pump();
      },
    });
    this.#attached = { fetcher, flow };
  }

  /** The connection is gone: what is settled now changes nothing. */
  detach(): void {
    const attached = this.#attached;
    this.#attached = undefined;
    attached?.flow.discard();
  }

  /** Nothing more goes to the handlers; what is with them may still be settled. */
  stop(): void {
    this.#open = false;
    this.#attached?.flow.stop();
  }

  /** After {@link stop}: resolves when everything is settled that was delivered on this connection. */
  async idle(): Promise<void> {
    await this.#attached?.flow.idle();
  }

  /** Hands over what there is room for. A handler that settles at once calls it from within: once more, then, not deeper. */
  pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#pumpAgain = false;
      this.#pumpOnce();
    } while (this.#pumpAgain);
    this.#pumping = false;
  }

  #pumpOnce(): void {
    const attached = this.#attached;
    if (!attached || !this.#open) return;
    const { fetcher, flow } = attached;
    let left = false;
    for (const part of this.#options.parts.values()) {
      if (part.lost) continue;
      if (this.#options.durable) this.#give(flow, part);
      else void this.#giveCommitted(flow, part);
      const full = part.waiting.length > AHEAD;
      if (part.paused && !full) {
        part.paused = false;
        fetcher.wake(part);
      } else part.paused = full;
      if (part.paused || part.waiting.length > 0) left = true;
    }
    this.#left = left;
  }

  #give(flow: Flow<Delivery>, part: Part): void {
    while (flow.room > 0) {
      const next = part.next();
      if (!next) break;
      const { record, given } = next;
      flow.arrived({ part, record, given }, () => this.#acknowledged(part, given), given.attempt);
    }
    if (part.done > part.committed) this.#options.onDone();
  }

  #acknowledged(part: Part, given: Given): void {
    if (part.lost) return;
    part.acknowledge(given);
    if (part.done > part.committed) this.#options.onDone();
  }

  /** At most once: it is done as far as the broker is concerned before a handler sees it. */
  async #giveCommitted(flow: Flow<Delivery>, part: Part): Promise<void> {
    if (part.busy) return;
    part.busy = true;
    while (part.waiting.length > 0 && flow.room > 0 && !part.lost) {
      const taken: { record: FetchedRecord; given: Given }[] = [];
      while (taken.length < flow.room) {
        const next = part.next();
        if (!next) break;
        taken.push(next);
      }
      for (const { given } of taken) part.acknowledge(given);
      const { topic, partition, done: offset } = part;
      if (!(await this.#options.commit([{ topic, partition, offset }]))) {
        // Another member may have it, so that it is not ours to give; this one reads on from what it is given next.
        part.lost = true;
        this.#options.onLost();
        break;
      }
      part.committed = offset;
      for (const { record, given } of taken) flow.arrived({ part, record, given }, () => {});
    }
    part.busy = false;
  }
}
