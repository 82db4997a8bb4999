/** What a connection is doing, and what happened on it: discriminated unions, so that a `switch` is complete. */
import type { CommlibError } from './errors.js';

/**
 * The state of a connection. `ready` means that every subscription is confirmed, not merely that a socket is open.
 * idle → connecting → ready ⇄ reconnecting → closed.
 */
export type TransportStatus =
  | { readonly state: 'idle' }
  | { readonly state: 'connecting'; readonly attempt: number }
  | { readonly state: 'ready'; readonly since: Date; readonly reconnects: number }
  | {
      readonly state: 'reconnecting';
      readonly attempt: number;
      /** Pause before the attempt that comes next. */
      readonly delayMs: number;
      /** Why the connection, or the last attempt, was lost. */
      readonly error: CommlibError;
    }
  | { readonly state: 'closed'; readonly error?: CommlibError | undefined };

/** Something a transport tells core. */
export type TransportEvent =
  | { readonly type: 'status'; readonly status: TransportStatus }
  /** The transport had to give something up (an oversized packet, an answer it could not send). */
  | { readonly type: 'dropped'; readonly address: string; readonly error: CommlibError };

/** Something that happened on a node: connection states, and every message or error that would else be silent. */
export type NodeEvent =
  | { readonly type: 'status'; readonly status: TransportStatus }
  /** A message was not handled: malformed, invalid, retained request, repeated request, over a limit. */
  | {
      readonly type: 'dropped';
      readonly endpoint: string;
      readonly address: string;
      readonly error: CommlibError;
    }
  /**
   * An at-least-once message that is not tried again (it failed too often, cannot be read, was rejected) went to the dead-letter
   * topic `to`, or was thrown away, as its subscription says.
   */
  | {
      readonly type: 'dead-letter';
      readonly endpoint: string;
      readonly address: string;
      readonly to: string | undefined;
      readonly error: CommlibError;
    }
  /** A handler threw, or an answer could not be sent. */
  | {
      readonly type: 'handler-error';
      readonly endpoint: string;
      readonly address: string;
      readonly error: CommlibError;
    }
  /** A subscriber (or a reader of events) was too slow and lost its oldest. Reported once per burst, with the count so far. */
  | { readonly type: 'overflow'; readonly endpoint: string; readonly dropped: number };
