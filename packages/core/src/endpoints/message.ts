/** A message as handlers and iterators see it. */
import { StateError } from '../errors.js';
import { type AnyParameters, extract } from '../names/parameters.js';
import type { Headers, Inbound } from '../transport.js';
import { milliseconds } from '../util/check.js';
import { Delivery } from './delivery.js';

/** Data with what the broker told about it. Absent means unknown, never a guess. */
export class Message<T, P = AnyParameters> {
  readonly data: T;
  readonly #inbound: Inbound;
  readonly #parameters: ReadonlyMap<string, number>;
  readonly #levels: (address: string) => readonly string[];
  readonly signal: AbortSignal;

  /** @internal */
  constructor(
    data: T,
    inbound: Inbound,
    parameters: ReadonlyMap<string, number>,
    levels: (address: string) => readonly string[],
    signal: AbortSignal,
  ) {
    this.data = data;
    this.#inbound = inbound;
    this.#parameters = parameters;
    this.#levels = levels;
    this.signal = signal;
  }

  /** The broker's own spelling of the topic (MQTT: with slashes). */
  get address(): string {
    return this.#inbound.address;
  }

  /** The named parameters of the contract, read from the address. */
  get params(): P {
    return extract(
      this.#parameters,
      this.#parameters.size === 0 ? [] : this.#levels(this.#inbound.address),
    ) as P;
  }

  get headers(): Headers | undefined {
    return this.#inbound.headers;
  }

  get key(): string | undefined {
    return this.#inbound.key;
  }

  get id(): string | undefined {
    return this.#inbound.id;
  }

  /** Kept by the broker from before the subscription, not sent now. */
  get retained(): boolean {
    return this.#inbound.retained;
  }

  /** The broker may have sent it before. */
  get redelivered(): boolean | undefined {
    return this.#inbound.redelivered;
  }

  /** Which delivery this is, from 1: at least once always known. Who counts, `capabilities.attempts` tells. */
  get attempt(): number | undefined {
    return this.#inbound.attempt;
  }

  get position(): string | undefined {
    return this.#inbound.position;
  }

  /** The bytes as they came. */
  get payload(): Uint8Array {
    return this.#inbound.payload;
  }

  /**
   * At least once: handled, now. Without it a message is acknowledged when its handler returns, or when a loop asks for the next.
   * Of all that settles a message the first counts, the rest is void.
   *
   * @throws {@link StateError} for an at-most-once message.
   */
  ack(): void {
    this.#delivery().settle('ack');
  }

  /**
   * At least once: as if the handler had thrown `reason`; again by the subscription's `retry`, or to its dead letter.
   *
   * @throws {@link StateError} for an at-most-once message.
   */
  nack(reason?: unknown): void {
    this.#delivery().fail(reason);
  }

  /**
   * At least once: not worth another attempt; to the dead letter, if the subscription has one.
   *
   * @throws {@link StateError} for an at-most-once message.
   */
  reject(reason?: unknown): void {
    this.#delivery().reject(reason);
  }

  /**
   * At least once: as {@link nack}, but again after this many milliseconds. The message keeps its place in `maxInFlight`
   * meanwhile.
   *
   * @throws {@link StateError} for an at-most-once message, `RangeError`.
   */
  retryIn(delayMs: number): void {
    this.#delivery().fail(undefined, milliseconds(delayMs, 'delayMs'));
  }

  #delivery(): Delivery {
    if (this.#inbound instanceof Delivery) return this.#inbound;
    throw new StateError(
      `the message on ${this.address} is delivered at most once: nobody waits to hear of it`,
    );
  }
}
