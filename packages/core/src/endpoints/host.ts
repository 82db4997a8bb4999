/** What a node gives its endpoints. */
import type { Codec } from '../codec/codec.js';
import { inflate, isZlib } from '../codec/compression.js';
import { DecodeError } from '../errors.js';
import type { MiddlewareStack } from '../middleware.js';
import type { EnvelopeWriter } from '../rpc/envelope.js';
import type { NodeEvent } from '../status.js';
import type { Transport } from '../transport.js';
import type { Deadlines } from '../util/deadlines.js';

/** What a node counted since it was made. */
export interface Counters {
  /** Messages given to the transport; what became of each, its promise says. */
  published: number;
  /** Messages and requests that came in, whatever became of them. */
  received: number;
  /** Messages not handled, each of which was reported as an event, and those a slow subscriber lost. */
  dropped: number;
  /** Requests given to the transport. */
  calls: number;
  /** Requests given to a handler. */
  served: number;
  /** Answers nobody waited for any more. */
  lateReplies: number;
}

/** Where data is checked against its schema. */
export interface Validation {
  readonly inbound: boolean;
  readonly outbound: boolean;
}

/** A node, as its endpoints see it. */
export interface EndpointHost {
  readonly transport: Transport;
  readonly codec: Codec;
  readonly envelopes: EnvelopeWriter;
  readonly validate: Validation;
  readonly middleware: MiddlewareStack;
  readonly deadlines: Deadlines;
  readonly counters: Counters;
  readonly maxPayloadBytes: number;
  /** What was said about a payload that could not be read: several subscribers of one filter need not say the same. */
  readonly refusals: WeakMap<Uint8Array, Set<string>>;
  /** Compresses a payload before it is sent, when the node was asked to. */
  readonly compress: ((payload: Uint8Array) => Promise<Uint8Array>) | undefined;
  /** Fires when the node stops waiting for handlers. */
  readonly signal: AbortSignal;
  report(event: NodeEvent): void;
  forget(endpoint: { close(): Promise<void> }): void;
}

/** The payload, decompressed when it is zlib. A promise only in that case. */
export function plainPayload(host: EndpointHost, payload: Uint8Array): Uint8Array | Promise<Uint8Array> {
  if (payload.length > host.maxPayloadBytes) {
    throw new DecodeError(
      'TOO_LARGE',
      `payload of ${payload.length} bytes is larger than ${host.maxPayloadBytes}`,
    );
  }
  // Binary codecs may begin with anything: they are asked only when the node compresses.
  const mayBeZlib = host.codec.stringify !== undefined || host.compress !== undefined;
  return mayBeZlib && isZlib(payload) ? inflate(payload, host.maxPayloadBytes) : payload;
}

/** `then` for values that are usually there already: no promise, no turn of the event loop. */
export function after<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
