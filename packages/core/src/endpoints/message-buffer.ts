/** What an iterator has not asked for yet. */
import { StateError } from '../errors.js';
import type { Inbound, Settlement } from '../transport.js';
import { type Deferred, deferred } from '../util/deferred.js';
import { Fifo } from '../util/fifo.js';

/** How a buffer behaves when it is full. */
export interface MessageBufferOptions {
  readonly limit: number;
  /** At least once: the transport stops at the limit by itself, nothing is ever dropped here. */
  readonly keepOldest: boolean;
  readonly onDrop: () => void;
}

interface Slot<M> {
  readonly message: M;
  readonly inbound: Inbound;
}

/** A bounded queue with one reader. Whatever comes in is settled once: by its reader, or when nobody will read it. */
export class MessageBuffer<M> {
  readonly #options: MessageBufferOptions;
  readonly #slots = new Fifo<Slot<M>>();
  #reader: Deferred<IteratorResult<M, undefined>> | undefined;
  #failure: Error | undefined;
  #taken: Inbound | undefined;
  #ended = false;
  #iterated = false;

  constructor(options: MessageBufferOptions) {
    this.#options = options;
  }

  /** Messages not asked for yet. */
  get length(): number {
    return this.#slots.length;
  }

  push(message: M, inbound: Inbound): void {
    if (this.#ended) return inbound.settle?.('nack');
    if (this.#reader) {
      const reader = this.#reader;
      this.#reader = undefined;
      this.#taken = inbound;
      reader.resolve({ done: false, value: message });
      return;
    }
    this.#slots.push({ message, inbound });
    if (!this.#options.keepOldest && this.#slots.length > this.#options.limit) {
      this.#slots.shift()?.inbound.settle?.('reject');
      this.#options.onDrop();
    }
  }

  /**
   * No more messages. At most once, the reader gets what is there, then the end; at least once, the end at once: what it
   * did not ask for goes back to the broker.
   */
  end(): void {
    this.#ended = true;
    if (this.#options.keepOldest) this.#empty();
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  /** No more messages, because of an error: the reader gets what is there, then the error, once. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#reader) this.#reader.reject(error);
    else this.#failure = error;
    this.#reader = undefined;
  }

  /** Everything goes back to the broker, also the message that the reader has in hand. */
  giveBack(): void {
    this.#ended = true;
    this.#settleTaken('nack');
    this.#empty();
  }

  iterate(close: () => Promise<void>): AsyncIterator<M, undefined> {
    if (this.#iterated) throw new StateError('a subscriber can be iterated once');
    this.#iterated = true;
    return {
      next: () => this.#next(),
      return: async () => {
        // `break`, or an error in the loop: nobody can tell, so the message in hand does not count as handled.
        this.giveBack();
        await close();
        return { done: true, value: undefined };
      },
    };
  }

  #next(): Promise<IteratorResult<M, undefined>> {
    // Asking for the next message says that the last one was handled.
    this.#settleTaken('ack');
    const slot = this.#slots.shift();
    if (slot) {
      this.#taken = slot.inbound;
      return Promise.resolve({ done: false, value: slot.message });
    }
    if (this.#failure) {
      const error = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    if (this.#reader) return Promise.reject(new StateError('next() was called while another next() waits'));
    this.#reader = deferred();
    return this.#reader.promise;
  }

  #settleTaken(outcome: Settlement): void {
    this.#taken?.settle?.(outcome);
    this.#taken = undefined;
  }

  #empty(): void {
    for (let slot = this.#slots.shift(); slot; slot = this.#slots.shift()) slot.inbound.settle?.('nack');
  }
}
