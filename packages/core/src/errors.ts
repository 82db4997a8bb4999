/**
 * Every error of this library: a small class, a stable `code`, the `cause`, and a `context` for logs.
 * Credentials never appear in a message or a context.
 *
 * @module
 */

import { textOf } from './util/text-of.js';

const brand = Symbol.for('@commlib/error');

/** Facts about an error, for logs. Never credentials, never payloads. */
export type ErrorContext = Readonly<Record<string, unknown>>;

/** Extras every error takes. */
export interface CommlibErrorOptions extends ErrorOptions {
  readonly context?: ErrorContext | undefined;
}

/** The base of every error this library throws or reports. Compare `code`, which never changes; words may. */
export class CommlibError extends Error {
  // Written out: minifiers rename classes.
  override readonly name: string = 'CommlibError';
  readonly code: string;
  readonly context: ErrorContext;
  /** @internal */
  readonly [brand] = true;

  constructor(code: string, message: string, options: CommlibErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.context = options.context ?? {};
  }

  /** True for errors of any copy of this library; with `code`, only for those of that code. */
  static is(value: unknown, code?: string): value is CommlibError {
    return (
      typeof value === 'object' &&
      value !== null &&
      brand in value &&
      (code === undefined || (value as CommlibError).code === code)
    );
  }
}

/** Why a connection could not be made or was lost. */
export type ConnectionErrorCode =
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_TIMEOUT'
  | 'CONNECTION_LOST'
  | 'HOST_NOT_FOUND'
  | 'AUTHENTICATION_FAILED'
  | 'NOT_AUTHORIZED'
  | 'TLS_UNTRUSTED'
  | 'TLS_HOSTNAME'
  | 'TLS_FAILED'
  | 'PROTOCOL_REFUSED'
  | 'CONNECTION_FAILED';

/** The connection could not be made, or was lost. `permanent` ones end the reconnecting. */
export class ConnectionError extends CommlibError {
  override readonly name: string = 'ConnectionError';
  declare readonly code: ConnectionErrorCode;
  readonly permanent: boolean;

  constructor(
    code: ConnectionErrorCode,
    message: string,
    options: CommlibErrorOptions & { permanent?: boolean } = {},
  ) {
    super(code, message, options);
    this.permanent = options.permanent ?? false;
  }
}

/** Asked of a connection that is down right now. Nothing was sent. */
export class NotConnectedError extends CommlibError {
  override readonly name: string = 'NotConnectedError';
  constructor(message = 'not connected to the broker', options?: CommlibErrorOptions) {
    super('NOT_CONNECTED', message, options);
  }
}

/** The broker says that nobody takes the message, or serves the request: it was not executed. */
export class NoReceiverError extends CommlibError {
  override readonly name: string = 'NoReceiverError';
  constructor(address: string, options?: CommlibErrorOptions) {
    super('NO_RECEIVER', `nobody takes what is sent to ${address}`, options);
  }
}

/** Asked of something that was closed, or closed while it was waited for. */
export class ClosedError extends CommlibError {
  override readonly name: string = 'ClosedError';
  constructor(what: string, options?: CommlibErrorOptions) {
    const why = options?.cause instanceof Error ? `: ${options.cause.message}` : '';
    super('CLOSED', `${what} is closed${why}`, options);
  }
}

/** Asked at the wrong time of a life: before `start()`, twice, after `close()`. */
export class StateError extends CommlibError {
  override readonly name: string = 'StateError';
  constructor(message: string, options?: CommlibErrorOptions) {
    super('WRONG_STATE', message, options);
  }
}

/** Nothing came within the deadline. Whether the other side acted is not known. */
export class TimeoutError extends CommlibError {
  override readonly name: string = 'TimeoutError';
  constructor(what: string, timeoutMs: number, options?: CommlibErrorOptions) {
    super('TIMEOUT', `${what} within ${timeoutMs} ms`, options);
  }
}

/** The caller's `AbortSignal` fired; its reason is the `cause`. */
export class AbortedError extends CommlibError {
  override readonly name: string = 'AbortedError';
  constructor(what: string, reason: unknown) {
    super('ABORTED', `${what} was aborted`, { cause: reason });
  }
}

/** Too much is waiting already; nothing was accepted. */
export class BufferFullError extends CommlibError {
  override readonly name: string = 'BufferFullError';
  constructor(what: string, limit: number, options?: CommlibErrorOptions) {
    super('BUFFER_FULL', `${what} is full (${limit})`, options);
  }
}

/** The transport cannot do what was asked, and why. */
export class UnsupportedError extends CommlibError {
  override readonly name: string = 'UnsupportedError';
  constructor(what: string, reason: string, options?: CommlibErrorOptions) {
    super('UNSUPPORTED', `${what}: ${reason}`, options);
  }
}

/** A topic or RPC name, a parameter in it, or a wildcard, that cannot be used. */
export class InvalidNameError extends CommlibError {
  override readonly name: string = 'InvalidNameError';
  constructor(name: string, reason: string, options?: CommlibErrorOptions) {
    // Names come from the wire too, and may be as long as a message.
    const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
    super('INVALID_NAME', `invalid name ${JSON.stringify(shown)}: ${reason}`, options);
  }
}

/** One thing a schema found wrong. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Data that does not satisfy its schema. */
export class ValidationError extends CommlibError {
  override readonly name: string = 'ValidationError';
  readonly issues: readonly Issue[];

  constructor(what: string, issues: readonly Issue[], options?: CommlibErrorOptions) {
    const shown = issues.slice(0, 5).map((i) => (i.path ? `${i.path}: ${i.message}` : i.message));
    const more = issues.length > 5 ? ` (and ${issues.length - 5} more)` : '';
    super('INVALID_DATA', `${what} is invalid: ${shown.join('; ')}${more}`, options);
    this.issues = issues;
  }
}

/** Bytes that could not be read: `MALFORMED` (not JSON, not UTF-8, no envelope, a hostile key) or `TOO_LARGE`. */
export class DecodeError extends CommlibError {
  override readonly name: string = 'DecodeError';
  declare readonly code: 'MALFORMED' | 'TOO_LARGE';

  constructor(code: 'MALFORMED' | 'TOO_LARGE', message: string, options?: CommlibErrorOptions) {
    super(code, message, options);
  }
}

/** A value that cannot be written (a function, a cycle, `undefined` as a whole). */
export class EncodeError extends CommlibError {
  override readonly name: string = 'EncodeError';
  constructor(message: string, options?: CommlibErrorOptions) {
    super('NOT_ENCODABLE', message, options);
  }
}

/** A request that was not executed on purpose: kept by the broker, executed before, or its caller no longer waits. */
export class RefusedRequestError extends CommlibError {
  override readonly name: string = 'RefusedRequestError';
  declare readonly code: 'RETAINED_REQUEST' | 'REPEATED_REQUEST' | 'EXPIRED_REQUEST' | 'NO_REPLY_ADDRESS';

  constructor(
    code: 'RETAINED_REQUEST' | 'REPEATED_REQUEST' | 'EXPIRED_REQUEST' | 'NO_REPLY_ADDRESS',
    message: string,
  ) {
    super(code, message);
  }
}

/** User code threw: a message handler, an RPC handler, a middleware. The thrown value is the `cause`. */
export class HandlerError extends CommlibError {
  override readonly name: string = 'HandlerError';
  constructor(endpoint: string, cause: unknown) {
    super('HANDLER_FAILED', `handler of ${endpoint} failed: ${textOf(cause)}`, { cause });
  }
}

/** A message failed as often as its subscription allows; the last failure is the `cause`. */
export class AttemptsExhaustedError extends CommlibError {
  override readonly name: string = 'AttemptsExhaustedError';
  constructor(address: string, attempts: number, options?: CommlibErrorOptions) {
    const why = options?.cause === undefined ? '' : `: ${textOf(options.cause)}`;
    super('ATTEMPTS_EXHAUSTED', `a message on ${address} failed ${attempts} times${why}`, options);
  }
}

/**
 * The service answered that it failed. `code` is the service's: `HANDLER_FAILED`, `INVALID_DATA`, `OVERLOADED`, or
 * whatever its handler threw as a {@link ServiceError}.
 */
export class RemoteError extends CommlibError {
  override readonly name: string = 'RemoteError';
  /** Whatever the service attached; JSON. Not validated. */
  readonly details: unknown;

  constructor(code: string, message: string, details?: unknown, options?: CommlibErrorOptions) {
    super(code, message, options);
    this.details = details;
  }
}

/**
 * Thrown by an RPC handler to answer with a typed error of its own.
 *
 * @example
 * ```ts
 * throw new ServiceError('OUT_OF_STOCK', 'no apples left', { wanted: 3 });
 * ```
 */
export class ServiceError extends CommlibError {
  override readonly name: string = 'ServiceError';
  readonly details: unknown;

  constructor(code: string, message: string, details?: unknown) {
    super(code, message);
    this.details = details;
  }
}
