/**
 * The transport contract: what a message broker must be made to do, in ten members.
 *
 * A transport moves bytes and metadata over **one** connection. It knows nothing of contracts, schemas, codecs,
 * envelopes, deadlines of calls or middleware: core does all of that once, above this line.
 * Each sentence of the comments below is a promise that the conformance kit tests; `docs/contract.md` says by what
 * mechanism each protocol keeps it.
 *
 * @module
 */
import type { Capabilities, ServeMode } from './capabilities.js';
import type { Name, NameKind } from './names/name.js';
import type { TransportEvent, TransportStatus } from './status.js';

/** Metadata of a message, string to string. Not every transport carries them: see `capabilities.headers`. */
export type Headers = Readonly<Record<string, string>>;

/**
 * How hard a transport tries.
 *
 * - `at-most-once`: a message may be lost (connection gone, buffer full), it never arrives twice by our doing.
 * - `at-least-once`: publishing resolves once the broker has taken responsibility; a received message is settled
 *   after its handler. It may arrive twice.
 */
export type Delivery = 'at-most-once' | 'at-least-once';

/** What becomes of a received message: done, deliver it again now or later, or never again. */
export type Settlement = 'ack' | 'nack' | 'reject' | { readonly retryInMs: number };

/**
 * From where a new subscription reads: what comes from now on, everything kept, or from a message on whose position is given
 * (`Inbound.position`, the transport's own), that one included.
 */
export type Start = 'new' | 'earliest' | { readonly position: string };

/**
 * Options only one protocol has. Transports add their own key by declaration merging
 * (`declare module '@commlib/core' { interface NativeOptions { mqtt?: { qos?: 0 | 1 | 2 } } }`), and ignore others'.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging in the transport packages
export interface NativeOptions {}

/** A message as it came from the broker. Absent means unknown, never a guess. */
export interface Inbound {
  /** The broker's own spelling of the name the message was sent to. */
  readonly address: string;
  readonly payload: Uint8Array;
  readonly headers?: Headers | undefined;
  /** Ordering key (Kafka's record key). */
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  /** Where an answer goes, when the protocol itself carries that (AMQP property, MQTT 5 response topic). */
  readonly replyTo?: string | undefined;
  readonly correlationId?: string | undefined;
  /** Kept by the broker from before the subscription, not sent now. */
  readonly retained: boolean;
  /** The broker says that it may have sent this message before (which is not that it was handled before). */
  readonly redelivered?: boolean | undefined;
  /** Which delivery of the message this is, from 1: on at-least-once subscriptions always known, see `capabilities.attempts`. */
  readonly attempt?: number | undefined;
  /** Where the message lies in a log (Kafka offset, stream id). */
  readonly position?: string | undefined;
  /**
   * Present where the transport waits to hear: on at-least-once subscriptions always, on services where the broker
   * counts unanswered requests. Core calls it exactly once for every message that has it, also for one it refused.
   * Only the first call counts; a call after a reconnect is void.
   */
  settle?(outcome: Settlement): void;
}

/** Per message. An option the transport cannot honour rejects with {@link UnsupportedError}. */
export interface SendOptions {
  readonly delivery?: Delivery | undefined;
  readonly key?: string | undefined;
  readonly headers?: Headers | undefined;
  readonly retain?: boolean | undefined;
  /** The broker may drop the message when it is older than this. */
  readonly expiresInMs?: number | undefined;
  /**
   * Rejects with {@link NoReceiverError} when the broker says that nobody takes the message: no subscription, no durable
   * group matches. Where brokers keep everything (a log) somebody always may. Default false.
   */
  readonly mandatory?: boolean | undefined;
  /** Gives up waiting (for the broker's confirmation, for room in the buffer); the message may still go out. */
  readonly signal?: AbortSignal | undefined;
  readonly native?: NativeOptions | undefined;
}

/** How a subscription behaves. */
export interface SubscribeOptions {
  readonly delivery: Delivery;
  /** Members of one group share its messages; with `at-least-once` the group is durable and is required. */
  readonly group?: string | undefined;
  /** At-least-once: the transport delivers no more than this many unsettled messages. */
  readonly maxInFlight: number;
  readonly start?: Start | undefined;
  readonly native?: NativeOptions | undefined;
}

/** How a service takes requests. */
export interface ServeOptions {
  /** `compete`: each request reaches one of the services of that name; `all`: every one. Unsaid: the wire's own. */
  readonly mode?: ServeMode | undefined;
  /** Competing services of one name in one group share its requests. Default: the name itself. */
  readonly group?: string | undefined;
  readonly maxInFlight: number;
  readonly native?: NativeOptions | undefined;
}

/** How an intake ends. */
export interface IntakeCloseOptions {
  /** At-least-once: also ends the durable group at the broker, with whatever it still holds. Default false. */
  readonly forget?: boolean | undefined;
}

/** A live subscription or service. */
export interface Intake {
  /**
   * Nothing is delivered after `close` was called. What was delivered before may still be settled; it resolves when all
   * of that is settled and the broker has confirmed, or at once when offline. A durable group stays, and goes on
   * collecting, unless `forget` is given.
   */
  close(options?: IntakeCloseOptions): Promise<void>;
}

/** How an inbox is opened. */
export interface InboxOptions {
  /** Reply addresses begin with this. Default: the transport's own choice. */
  readonly prefix?: string | undefined;
  readonly native?: NativeOptions | undefined;
}

/** Where one answer is to go: an address, and a correlation where the address alone does not tell calls apart. */
export interface ReplyTarget {
  readonly replyTo: string;
  readonly correlationId?: string | undefined;
}

/**
 * A standing reply inbox: one subscription, any number of calls in flight.
 * It survives reconnects (re-established before the transport is `ready` again); calls in flight at the loss do not,
 * core fails them when it hears of the loss.
 */
export interface Inbox {
  /**
   * A reply target never used before. Its `correlationId` is what tells its answers: by `Inbound.correlationId`, or, with
   * `capabilities.correlation` `envelope`, by a field of the envelope that core reads, and then `Inbound.correlationId` is absent.
   */
  claim(): ReplyTarget & { readonly correlationId: string };
  /**
   * Sends a request, point to point (not the fan-out of `publish`). Rejects at once with {@link NotConnectedError}
   * while the transport is not ready: a request is never kept for later.
   * Resolving says that the request was handed over, not that anybody serves it; where the broker tells that nobody does
   * (`capabilities.mandatory`), it rejects with {@link NoReceiverError}.
   */
  send(address: string, payload: Uint8Array, target: ReplyTarget, options?: SendOptions): Promise<void>;
  /** Core has no more use for the answers to this target. */
  release(target: ReplyTarget): void;
  close(): Promise<void>;
}

/** Translation between names as users write them and the broker's own. Pure functions. */
export interface NameMapping {
  /** The address to publish, request or serve at. Throws {@link InvalidNameError} for what the broker cannot carry. */
  address(name: Name): string;
  /** What to subscribe with, `+` and `#` translated. May match more than asked when `capabilities.exactFilters` is false. */
  filter(name: Name): string;
  /**
   * The levels of an inbound address, for core's own matching and for named parameters. `kind` is that of the name it was
   * asked for with (default `plain`): where addresses keep their dots, only that tells whether they separate levels.
   */
  levels(address: string, kind?: NameKind): readonly string[];
  /**
   * Throws {@link InvalidNameError} for a reply address that no answer could be sent to: such a request is not executed.
   * Absent where any text will do.
   */
  checkReply?(replyTo: string): void;
}

/** How `connect` behaves. */
export interface ConnectOptions {
  /** Gives up the first connection after this long. */
  readonly timeoutMs: number;
  /** Rejects at the first failed attempt instead of trying on until the timeout. */
  readonly failFast: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Every change of state and every thing the transport had to drop. Called synchronously; must not throw. */
  readonly onEvent: (event: TransportEvent) => void;
}

/**
 * One connection to one broker.
 *
 * A transport is made idle by a function of options (`mqtt(url, options)`), connected once, closed once.
 * Its methods may be called concurrently. Handlers are called synchronously, one message at a time, in the order
 * the broker delivered; they do not throw, and must not block.
 */
export interface Transport {
  /** The protocol's name: `mqtt`, `amqp`, `redis`, `kafka`, `memory`. */
  readonly protocol: string;
  /** What this connection can do; parts may only be known after `connect` (an MQTT broker may refuse version 5). */
  readonly capabilities: Capabilities;
  readonly names: NameMapping;
  readonly status: TransportStatus;

  /**
   * Resolves when the connection is ready. Afterwards the transport keeps it so: on loss it reconnects with backoff
   * and jitter, restores every inbox, subscription and service, and only then says `ready` again.
   * Rejects with a {@link ConnectionError}; permanent errors (bad credentials, untrusted certificate) end the attempts,
   * now and later.
   */
  connect(options: ConnectOptions): Promise<void>;

  /**
   * Flushes what was accepted for publishing, ends the session in good order, and settles every promise still pending.
   * Never takes longer than `deadlineMs`, whatever the broker does. A second call waits for the first.
   */
  close(options: { readonly deadlineMs: number }): Promise<void>;

  /**
   * Fan-out: every matching subscription gets the message.
   * `at-most-once`: resolves when the bytes are handed to the connection; rejects with {@link NotConnectedError} while offline.
   * `at-least-once`: resolves when the broker has taken responsibility; across a loss it is sent again; while offline
   * it waits in a bounded buffer, beyond which it rejects with {@link BufferFullError}.
   */
  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void>;

  /** When it resolves, nothing published afterwards is missed while connected. */
  subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake>;

  /**
   * Opens a reply inbox whose addresses begin with `prefix`, or with the transport's own choice.
   * When it resolves, no answer to a request sent through it is missed while connected.
   */
  openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox>;

  /** Takes requests sent to an address. When it resolves, no request sent afterwards is missed while connected. */
  serve(address: string, options: ServeOptions, onRequest: (request: Inbound) => void): Promise<Intake>;

  /**
   * Answers a request. The target is the request's own: what its metadata says comes before what its envelope says.
   * Rejects with {@link NotConnectedError} while offline: an answer is never kept for later.
   */
  respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void>;

  /**
   * The broker's clock, in milliseconds since 1970. Present where requests wait at the broker until somebody serves them,
   * longer than their callers do if need be: core then writes into the envelope until when the caller waits
   * (`header.expires`, which Python peers ignore), and a service does not execute the request after that.
   * The broker's clock, because those of two machines may differ.
   */
  brokerNow?(): number;
}
