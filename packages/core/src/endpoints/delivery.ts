/** One delivery of an at-least-once message, and what becomes of it: settled once, tried again, or buried. */
import { has } from '../capabilities.js';
import { AttemptsExhaustedError, CommlibError, StateError } from '../errors.js';
import { checkAddress, type NameInput, toName } from '../names/name.js';
import type { Headers, Inbound, SendOptions, Settlement } from '../transport.js';
import { milliseconds, positive } from '../util/check.js';
import { textOf } from '../util/text-of.js';
import type { EndpointHost } from './host.js';

/** How an at-least-once message comes again whose handler failed. */
export interface RetryOptions {
  /**
   * Deliveries in all, the first included. What fails then goes to the `deadLetter`, which must be said too. Default: no end.
   * The count is the broker's where it counts, and this process's elsewhere: see `capabilities.attempts`.
   */
  readonly maxAttempts?: number | undefined;
  /**
   * Pause before the next delivery, in milliseconds, or a function of the attempt that failed (from 1).
   * Default 100, doubling with each attempt, up to 30 000.
   */
  readonly delayMs?: number | ((attempt: number) => number) | undefined;
}

/** What a subscription does with messages it cannot handle. */
export interface BurialOptions {
  /** Default: again after a moment, without end. */
  readonly retry?: RetryOptions | undefined;
  /**
   * The topic that takes what failed `retry.maxAttempts` times, could not be read, or was rejected: the bytes as they came,
   * published at least once, with the reason in headers where the transport has them. A message leaves its own topic only when
   * the broker has taken it there, and, where the broker tells, when somebody keeps it: let the group that reads the dead
   * letters exist first. `false`: such messages are thrown away, and reported.
   */
  readonly deadLetter?: NameInput | false | undefined;
}

/** A dead letter that could not be sent: its message comes again after this. */
const PAUSE_AFTER_FAILED_BURIAL_MS = 1000;

/** Gives every message of one subscription its {@link Delivery}. */
export class Deliveries {
  readonly #host: EndpointHost;
  readonly #filter: string;
  readonly #maxAttempts: number;
  readonly #delayOf: ((attempt: number) => number) | undefined;
  readonly #deadLetter: string | undefined;

  /** @throws `StateError` for a cap without a dead letter, `InvalidNameError`, `RangeError`. */
  constructor(host: EndpointHost, filter: string, { retry, deadLetter }: BurialOptions) {
    this.#host = host;
    this.#filter = filter;
    this.#maxAttempts =
      retry?.maxAttempts === undefined
        ? Number.POSITIVE_INFINITY
        : positive(retry.maxAttempts, 'maxAttempts');
    if (retry) this.#delayOf = delayOf(retry.delayMs);
    if (deadLetter === undefined && retry?.maxAttempts !== undefined) {
      throw new StateError(
        `the subscription to ${filter} has maxAttempts: its deadLetter must be said, a topic or false (throw away)`,
      );
    }
    if (deadLetter === undefined || deadLetter === false) return;
    const name = toName(deadLetter);
    checkAddress(name);
    this.#deadLetter = host.transport.names.address(name);
  }

  /** Undefined when the message has had all its attempts already: it is being buried. */
  take(inbound: Inbound): Delivery | undefined {
    const delivery = new Delivery(inbound, this);
    if ((inbound.attempt ?? 1) <= this.#maxAttempts) return delivery;
    delivery.fail(undefined);
    return undefined;
  }

  /** @internal `retryInMs`: instead of the subscription's own pause. */
  failed(inbound: Inbound, error: unknown, retryInMs?: number): void {
    const attempt = inbound.attempt ?? 1;
    if (attempt < this.#maxAttempts) {
      const pause = retryInMs ?? this.#delayOf?.(attempt);
      inbound.settle?.(pause === undefined ? 'nack' : { retryInMs: pause });
      return;
    }
    void this.#bury(inbound, new AttemptsExhaustedError(inbound.address, attempt, { cause: error }));
  }

  /** @internal */
  rejected(inbound: Inbound, error: unknown): void {
    if (this.#deadLetter === undefined) inbound.settle?.('reject');
    else void this.#bury(inbound, error);
  }

  async #bury(inbound: Inbound, error: unknown): Promise<void> {
    const host = this.#host;
    const to = this.#deadLetter;
    const why = CommlibError.is(error)
      ? error
      : new CommlibError('REJECTED', `a message on ${inbound.address} was rejected: ${textOf(error)}`);
    try {
      if (to !== undefined) await host.transport.publish(to, inbound.payload, this.#envelope(inbound, why));
      inbound.settle?.(to === undefined ? 'reject' : 'ack');
      host.counters.dropped++;
      host.report({ type: 'dead-letter', endpoint: this.#filter, address: inbound.address, to, error: why });
    } catch (failure) {
      inbound.settle?.({ retryInMs: PAUSE_AFTER_FAILED_BURIAL_MS });
      if (host.signal.aborted) return;
      const known = CommlibError.is(failure) ? failure : new CommlibError('UNEXPECTED', textOf(failure));
      host.report({ type: 'dropped', endpoint: this.#filter, address: to ?? inbound.address, error: known });
    }
  }

  #envelope(inbound: Inbound, why: CommlibError): SendOptions {
    const can = this.#host.transport.capabilities;
    const headers: Headers = {
      ...inbound.headers,
      'dead-letter-address': inbound.address,
      'dead-letter-code': why.code,
      'dead-letter-reason': textOf(why).slice(0, 1000),
      'dead-letter-attempts': String(inbound.attempt ?? 1),
    };
    return {
      delivery: 'at-least-once',
      mandatory: has(can.mandatory) ? true : undefined,
      headers: has(can.headers) && can.headers.includes('at-least-once') ? headers : undefined,
      key: has(can.keys) && can.keys.includes('at-least-once') ? inbound.key : undefined,
    };
  }
}

function delayOf(delayMs: RetryOptions['delayMs']): (attempt: number) => number {
  if (typeof delayMs === 'function') return (attempt) => milliseconds(delayMs(attempt), 'delayMs');
  if (delayMs !== undefined) {
    const fixed = milliseconds(delayMs, 'delayMs');
    return () => fixed;
  }
  return (attempt) => Math.min(30_000, 100 * 2 ** Math.min(attempt - 1, 20));
}

/** A message with one fate: whoever settles it first has settled it. */
export class Delivery implements Inbound {
  readonly address: string;
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
  readonly key: string | undefined;
  readonly id: string | undefined;
  readonly retained: boolean;
  readonly redelivered: boolean | undefined;
  readonly attempt: number | undefined;
  readonly position: string | undefined;
  readonly #inbound: Inbound;
  readonly #deliveries: Deliveries;
  #open = true;

  constructor(inbound: Inbound, deliveries: Deliveries) {
    this.address = inbound.address;
    this.payload = inbound.payload;
    this.headers = inbound.headers;
    this.key = inbound.key;
    this.id = inbound.id;
    this.retained = inbound.retained;
    this.redelivered = inbound.redelivered;
    this.attempt = inbound.attempt;
    this.position = inbound.position;
    this.#inbound = inbound;
    this.#deliveries = deliveries;
  }

  /** Told to the broker as it is: `nack` gives the message back, and counts no failure. */
  settle(outcome: Settlement): void {
    if (this.#close()) this.#inbound.settle?.(outcome);
  }

  /** The handler failed: again, or to the dead letter. */
  fail(error: unknown, retryInMs?: number): void {
    if (this.#close()) this.#deliveries.failed(this.#inbound, error, retryInMs);
  }

  /** Not worth another attempt: to the dead letter, if there is one. */
  reject(error: unknown): void {
    if (this.#close()) this.#deliveries.rejected(this.#inbound, error);
  }

  #close(): boolean {
    const was = this.#open;
    this.#open = false;
    return was;
  }
}
