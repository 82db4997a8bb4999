/** A message as handlers and iterators see it. */
import { type AnyParameters, extract } from '../names/parameters.js';
import type { Headers, Inbound } from '../transport.js';

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

  /** From 1, where the broker counts. */
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
}
