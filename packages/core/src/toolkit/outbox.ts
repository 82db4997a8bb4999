import { BufferFullError, type CommlibError, ConnectionError } from '../errors.js';
import { Fifo } from '../util/fifo.js';
import { PassingMap } from './passing-map.js';

/** A message that was under way when this many connections ended is not sent again: it may be what ends them. */
const MAX_ATTEMPTS = 10;

/** The way out while a connection is there. */
export interface Outlet<T> {
  /** How many items may be unconfirmed at once. */
  readonly window: number;
  /**
   * Sends one; `confirm` is called once when the broker has taken it, or refused it. Must not throw. A confirmation after the
   * outlet was detached is void.
   */
  send(item: T, confirm: (error?: CommlibError) => void): void;
  /** Several are ready at once: called after the last of them was sent, to write them in one piece. */
  flush?(): void;
  /** False: the item waits, and those behind it, until a confirmation makes room. */
  admits?(item: T): boolean;
  /** The connection takes no more for now. */
  readonly congested?: boolean;
  /** Resolves (or rejects) when it may take more again. */
  drained?(): Promise<void>;
}

/** How an {@link Outbox} behaves. */
export interface OutboxOptions<T> {
  /** Items kept, sent or waiting; the next is refused with {@link BufferFullError}. */
  readonly limit: number;
  /** How an item is called in errors: `message to orders/new`. */
  readonly describe: (item: T) => string;
}

interface Entry<T> {
  readonly id: number;
  readonly item: T;
  /** Sent again after a loss; otherwise it fails with the connection. */
  readonly keep: boolean;
  attempts: number;
  readonly resolve: () => void;
  readonly reject: (error: CommlibError) => void;
}

/**
 * Messages that wait for the broker's confirmation: in order, within a window, kept over a reconnect, bounded.
 * For transports: the client's own buffer is switched off, and this is used.
 */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  #waiting = new Fifo<Entry<T>>();
  /** The first of those waiting, while the outlet has no room for it. */
  #first: Entry<T> | undefined;
  /** Sent and unconfirmed, oldest first. */
  readonly #sent = new PassingMap<number, Entry<T>>();
  #ids = 0;
  #outlet: Outlet<T> | undefined;
  #pumpScheduled = false;
  #congested: Outlet<T> | undefined;
  #idle: (() => void)[] = [];

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  /** How many items are unconfirmed. */
  get size(): number {
    return this.#sent.size + this.#waiting.length + (this.#first ? 1 : 0);
  }

  /**
   * Resolves when the broker has confirmed.
   *
   * @throws {@link BufferFullError}; what the broker refuses; the error given to {@link detach} (without `keep`) or {@link fail}.
   */
  add(item: T, keep: boolean): Promise<void> {
    if (this.size >= this.#options.limit) {
      return Promise.reject(new BufferFullError('the buffer of unconfirmed messages', this.#options.limit));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: this.#ids++, item, keep, attempts: 0, resolve, reject });
      this.#pump();
    });
  }

  /** A connection is ready: everything unconfirmed goes out, oldest first. */
  attach(outlet: Outlet<T>): void {
    this.#outlet = outlet;
    this.#pump();
  }

  /** The connection is gone: what was sent waits again, ahead of the rest; what is not kept fails. */
  detach(error: CommlibError): void {
    const again = new Fifo<Entry<T>>();
    for (const entry of this.#takeAll()) {
      if (!entry.keep) entry.reject(error);
      else if (entry.attempts >= MAX_ATTEMPTS) entry.reject(this.#unsendable(entry, error));
      else again.push(entry);
    }
    this.#waiting = again;
    this.#reportIdle();
  }

  /** Nothing will be sent any more. */
  fail(error: CommlibError): void {
    for (const entry of this.#takeAll()) entry.reject(error);
    this.#reportIdle();
  }

  /** Resolves when nothing is unconfirmed. */
  idle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #takeAll(): Entry<T>[] {
    const all = [...this.#sent.values()];
    if (this.#first) all.push(this.#first);
    for (let entry = this.#waiting.shift(); entry; entry = this.#waiting.shift()) all.push(entry);
    this.#outlet = undefined;
    this.#first = undefined;
    this.#sent.clear();
    return all;
  }

  #confirm(outlet: Outlet<T>, entry: Entry<T>, error: CommlibError | undefined): void {
    if (outlet !== this.#outlet || !this.#sent.delete(entry.id)) return;
    if (error) entry.reject(error);
    else entry.resolve();
    this.#reportIdle();
    // One chunk from the broker may hold many confirmations: what they make room for goes out in one piece too.
    if (this.#pumpScheduled || (this.#waiting.length === 0 && !this.#first)) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const outlet = this.#outlet;
    if (outlet === undefined) return;
    let sent = false;
    // Sending may show that the connection is gone.
    while (this.#outlet === outlet && this.#sent.size < outlet.window) {
      if (outlet.congested) {
        this.#pumpLater(outlet);
        break;
      }
      const entry: Entry<T> | undefined = this.#first ?? this.#waiting.shift();
      if (entry === undefined) break;
      if (outlet.admits && !outlet.admits(entry.item)) {
        this.#first = entry;
        break;
      }
      this.#first = undefined;
      this.#sent.set(entry.id, entry);
      entry.attempts++;
      sent = true;
      outlet.send(entry.item, (error) => this.#confirm(outlet, entry, error));
    }
    if (sent) outlet.flush?.();
  }

  #pumpLater(outlet: Outlet<T>): void {
    if (this.#congested === outlet || !outlet.drained) return;
    this.#congested = outlet;
    const go = () => {
      if (this.#congested === outlet) this.#congested = undefined;
      this.#pump();
    };
    outlet.drained().then(go, go);
  }

  #reportIdle(): void {
    if (this.#idle.length === 0 || this.size > 0) return;
    for (const done of this.#idle.splice(0)) done();
  }

  #unsendable(entry: Entry<T>, cause: CommlibError): ConnectionError {
    return new ConnectionError(
      'CONNECTION_LOST',
      `a ${this.#options.describe(entry.item)} was sent ${entry.attempts} times, and each time the connection was lost before its confirmation`,
      { cause },
    );
  }
}
