/** What a transport can do, as data; what it cannot, with the reason. */
import type { Delivery } from './transport.js';

/** Something a transport cannot do, and why not: the reason is shown in errors and in the support table. */
export interface Missing {
  readonly missing: string;
}

/** Either the way a transport can do something, or why it cannot. */
export type Capability<T = true> = T | Missing;

/** Do services of one name share the requests, does each get all of them, or can there be only one? */
export type ServeMode = 'compete' | 'all' | 'exclusive';

/** A capability that some ways of delivering have and others do not (on Redis, PUBLISH has no headers and Streams do). */
export type PerDelivery = Capability<readonly [Delivery, ...Delivery[]]>;

/** Both ways of delivering. */
export const BOTH: readonly [Delivery, ...Delivery[]] = ['at-most-once', 'at-least-once'];

/** What one connection of a transport can do. Asking for what is missing is an {@link UnsupportedError} at creation. */
export interface Capabilities {
  /** The broker keeps the last message of a topic for later subscribers. */
  readonly retained: Capability;
  /** Metadata travels beside the payload: {@link Headers}. */
  readonly headers: PerDelivery;
  /** Messages carry an ordering key. */
  readonly keys: PerDelivery;
  /** The broker drops messages older than asked. */
  readonly expiry: PerDelivery;
  /** `+` and `#` in at-most-once subscriptions; `emulated` where our own code finds the topics. */
  readonly wildcards: Capability<'native' | 'emulated'>;
  /** `+` and `#` in at-least-once subscriptions. */
  readonly durableWildcards: Capability<'native' | 'emulated'>;
  /** At-most-once subscribers of one group share its messages; `emulated` where our own code does the sharing. */
  readonly groups: Capability<'native' | 'emulated'>;
  /** Several connections may be members of one at-least-once group and share its messages. Those of one connection always may. */
  readonly durableGroups: Capability<'native' | 'emulated'>;
  /** Acknowledge after the handler, redelivery after a loss. */
  readonly atLeastOnce: Capability<'native' | 'emulated'>;
  /** A negative settlement makes the broker deliver the message again. */
  readonly redelivery: Capability<'native' | 'emulated'>;
  /**
   * How the deliveries of an at-least-once message are counted (`Inbound.attempt`): by the broker, so that the count survives
   * the process that failed (`native`), or by our own code, beginning at 1 again with every new process (`emulated`).
   */
  readonly attempts: Capability<'native' | 'emulated'>;
  /** The broker tells when nobody takes a message or a request: see {@link SendOptions.mandatory}. */
  readonly mandatory: Capability;
  /** Subscriptions may read what was sent before they existed. */
  readonly replay: PerDelivery;
  /** The wire's own way of serving comes first. */
  readonly serveModes: readonly [ServeMode, ...ServeMode[]];
  /** The broker's matching of `+` and `#` is exactly ours; otherwise core matches again. */
  readonly exactFilters: boolean;
  /**
   * What tells answers apart: the reply address, metadata beside the payload, or a field of the envelope
   * (commlib-py 0.13.2 on Kafka: `header.correlation_id`).
   */
  readonly correlation: 'address' | 'metadata' | 'envelope';
  /**
   * Requests and answers may be the data itself, without an envelope, since reply address and correlation travel as metadata
   * (commlib-py up to 0.13.1 on AMQP). Services then answer in kind, and clients may ask for it. Absent: they may not.
   */
  readonly rawBodies?: Capability | undefined;
  /**
   * What a commlib-py client of this protocol gets when a handler fails, since its envelope has no error field:
   * `null` data (which its MQTT client ignores, so that it times out as with a Python service) or an empty object.
   */
  readonly failureData: null | 'empty';
}

/** True when a capability is there; narrows it to its value. */
export function has<T>(capability: Capability<T>): capability is T {
  return !(typeof capability === 'object' && capability !== null && 'missing' in capability);
}
