/**
 * The unsettled messages of one durable link. Acknowledgements go out in the order of arrival, as MQTT demands
 * (MQTT-4.6.0-2), however the handlers finish; no more than `maxInFlight` messages are with the handlers, while the
 * reading goes on (some brokers send more than they were told to, and a reader that waited would miss their heartbeat).
 */
import type { Settlement } from '@commlib/core';
import { timerMs } from './timer.js';

/** A message between its arrival and its acknowledgement. */
interface Held<T> {
  readonly message: T;
  readonly acknowledge: (() => void) | undefined;
  /** Delivered again by us after a negative settlement. */
  again: boolean;
  done: boolean;
}

/** MQTT has no negative acknowledgement: we deliver again ourselves, after this pause unless told another. */
const PAUSE_AFTER_NACK_MS = 100;

/** Hands one message to a handler; `settle` is what becomes of it. */
export type Deliver<T> = (message: T, again: boolean, settle: (outcome: Settlement) => void) => void;

export class Flow<T> {
  readonly #maxInFlight: number;
  readonly #deliver: Deliver<T>;
  /** In the order of arrival, the head not yet acknowledged. */
  #held: Held<T>[] = [];
  readonly #backlog: Held<T>[] = [];
  /** Refused messages that wait to be delivered again; each holds its place. */
  readonly #paused = new Set<ReturnType<typeof setTimeout>>();
  #unsettled = 0;
  #stopped = false;

  constructor(maxInFlight: number, deliver: Deliver<T>) {
    this.#maxInFlight = Math.max(1, maxInFlight);
    this.#deliver = deliver;
  }

  /** A message came; `acknowledge` is absent where the broker expects none (QoS 0). */
  arrived(message: T, acknowledge?: () => void): void {
    if (this.#stopped) return;
    const held = { message, acknowledge, again: false, done: false };
    if (acknowledge) this.#held.push(held);
    this.#backlog.push(held);
    this.#next();
  }

  /** Delivers no more; what was delivered may still be settled. What was not goes back to the broker with the link. */
  stop(): void {
    this.#stopped = true;
    this.#backlog.length = 0;
    for (const timer of this.#paused) clearTimeout(timer);
    this.#paused.clear();
  }

  /** The link is gone: nothing can be acknowledged any more, the broker will send it all again. */
  discard(): void {
    this.stop();
    this.#held = [];
    this.#unsettled = 0;
  }

  #next(): void {
    while (!this.#stopped && this.#unsettled + this.#paused.size < this.#maxInFlight) {
      const held = this.#backlog.shift();
      if (held === undefined) return;
      this.#unsettled++;
      let open = true;
      this.#deliver(held.message, held.again, (outcome) => {
        if (!open) return;
        open = false;
        this.#settle(held, outcome);
      });
    }
  }

  #settle(held: Held<T>, outcome: Settlement): void {
    if (this.#unsettled === 0) return; // Discarded in between.
    this.#unsettled--;
    if (outcome === 'ack' || outcome === 'reject') {
      held.done = true;
      this.#acknowledge();
    } else {
      this.#deliverAgain(held, outcome === 'nack' ? PAUSE_AFTER_NACK_MS : timerMs(outcome.retryInMs));
    }
    this.#next();
  }

  #acknowledge(): void {
    while (this.#held[0]?.done) this.#held.shift()?.acknowledge?.();
  }

  #deliverAgain(held: Held<T>, inMs: number): void {
    if (this.#stopped) return;
    held.again = true;
    const timer = setTimeout(() => {
      this.#paused.delete(timer);
      this.#backlog.unshift(held);
      this.#next();
    }, inMs);
    this.#paused.add(timer);
  }
}
