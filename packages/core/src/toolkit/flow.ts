import type { Settlement } from '../transport.js';
import { timerMs } from '../util/check.js';

/** How long a message rests after a `nack`: at once, a handler that always fails would leave no time for anything else. */
const PAUSE_AFTER_NACK_MS = 100;

/** A message between its arrival and its acknowledgement. */
interface Held<T> {
  readonly message: T;
  readonly acknowledge: ((outcome: 'ack' | 'reject') => void) | undefined;
  attempt: number;
  outcome: 'ack' | 'reject' | undefined;
}

/** How a {@link Flow} behaves. */
export interface FlowOptions<T> {
  /** Messages with the handlers at once, those that rest after a refusal included. */
  readonly maxInFlight: number;
  /**
   * Acknowledgements go out in the order of arrival, however the handlers finish: for protocols that demand it (MQTT) or that
   * acknowledge by a position (Kafka: everything before it is done too).
   */
  readonly inOrder: boolean;
  /** Hands one message to its handler; `settle` is what becomes of it, the first call counts. */
  readonly deliver: (message: T, attempt: number, settle: (outcome: Settlement) => void) => void;
  /** There may be room again: for a transport that stops reading while `room` is 0. */
  readonly onRoom?: (() => void) | undefined;
}

/**
 * The unsettled messages of one at-least-once intake: no more than `maxInFlight` with the handlers, refused ones delivered
 * again after a pause and counted, acknowledgements passed on to the broker. For transports whose broker has no negative
 * acknowledgement, or one that does not count.
 */
export class Flow<T> {
  readonly #options: FlowOptions<T>;
  /** In the order of arrival, the head not yet acknowledged. */
  #held: Held<T>[] = [];
  readonly #backlog: Held<T>[] = [];
  /** Refused messages that wait to be delivered again; each holds its place. */
  readonly #resting = new Set<ReturnType<typeof setTimeout>>();
  #unsettled = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(options: FlowOptions<T>) {
    this.#options = options;
  }

  /** How many more may arrive until `maxInFlight` is reached. */
  get room(): number {
    const { maxInFlight } = this.#options;
    return Math.max(0, maxInFlight - this.#unsettled - this.#resting.size - this.#backlog.length);
  }

  /** Messages that arrived and are not acknowledged. */
  get size(): number {
    return this.#unsettled + this.#resting.size + this.#backlog.length;
  }

  /**
   * A message came; `acknowledge` is absent where the broker expects nothing. `attempt` is the broker's own count of
   * deliveries, from 1, where it has one.
   */
  arrived(message: T, acknowledge?: (outcome: 'ack' | 'reject') => void, attempt = 1): void {
    if (this.#stopped) return;
    const held: Held<T> = { message, acknowledge, attempt, outcome: undefined };
    if (acknowledge && this.#options.inOrder) this.#held.push(held);
    this.#backlog.push(held);
    this.#next();
  }

  /** Delivers no more; what was delivered may still be settled. What was not goes back to the broker with the connection. */
  stop(): void {
    this.#stopped = true;
    this.#backlog.length = 0;
    for (const timer of this.#resting) clearTimeout(timer);
    this.#resting.clear();
    this.#reportIdle();
  }

  /** The connection is gone: nothing can be acknowledged any more, the broker will send it all again. */
  discard(): void {
    this.stop();
    this.#held = [];
    this.#unsettled = 0;
    this.#reportIdle();
  }

  /** After {@link stop}: resolves when everything that was delivered is settled. */
  idle(): Promise<void> {
    if (this.#unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    const { maxInFlight, deliver } = this.#options;
    while (!this.#stopped && this.#unsettled + this.#resting.size < maxInFlight) {
      const held = this.#backlog.shift();
      if (held === undefined) return;
      this.#unsettled++;
      let open = true;
      deliver(held.message, held.attempt, (outcome) => {
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
      held.outcome = outcome;
      if (this.#options.inOrder) this.#acknowledge();
      else held.acknowledge?.(outcome);
    } else {
      this.#deliverAgain(held, outcome === 'nack' ? PAUSE_AFTER_NACK_MS : timerMs(outcome.retryInMs));
    }
    this.#next();
    this.#options.onRoom?.();
    this.#reportIdle();
  }

  #acknowledge(): void {
    for (let head = this.#held[0]; head?.outcome; head = this.#held[0]) {
      this.#held.shift();
      head.acknowledge?.(head.outcome);
    }
  }

  #deliverAgain(held: Held<T>, inMs: number): void {
    if (this.#stopped) return;
    held.attempt++;
    const timer = setTimeout(() => {
      this.#resting.delete(timer);
      this.#backlog.unshift(held);
      this.#next();
    }, inMs);
    this.#resting.add(timer);
  }

  #reportIdle(): void {
    if (this.#idle.length === 0 || this.#unsettled > 0) return;
    for (const done of this.#idle.splice(0)) done();
  }
}
