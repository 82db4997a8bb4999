/** A request as a service's handler sees it. */
import { type AnyParameters, extract } from '../names/parameters.js';
import type { Inbound } from '../transport.js';

/** Data with the envelope and the broker's metadata around it. */
export class Request<T, P = AnyParameters> {
  readonly data: T;
  /** The envelope's header as it came: `reply_to`, `timestamp`, and whatever else the caller put there. Not validated. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Fires when the node no longer waits for this handler. */
  readonly signal: AbortSignal;
  readonly #inbound: Inbound;
  readonly #parameters: ReadonlyMap<string, number>;
  readonly #levels: (address: string) => readonly string[];

  /** @internal */
  constructor(
    data: T,
    header: Readonly<Record<string, unknown>>,
    inbound: Inbound,
    parameters: ReadonlyMap<string, number>,
    levels: (address: string) => readonly string[],
    signal: AbortSignal,
  ) {
    this.data = data;
    this.header = header;
    this.signal = signal;
    this.#inbound = inbound;
    this.#parameters = parameters;
    this.#levels = levels;
  }

  /** The broker's own spelling of the name the request was sent to. */
  get address(): string {
    return this.#inbound.address;
  }

  get params(): P {
    return extract(
      this.#parameters,
      this.#parameters.size === 0 ? [] : this.#levels(this.#inbound.address),
    ) as P;
  }

  get redelivered(): boolean | undefined {
    return this.#inbound.redelivered;
  }
}
