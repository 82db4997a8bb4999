/** What the author of a transport gives to the kit. */
import type { Transport } from '@commlib/core';

/** What one connection of a property needs beyond the ordinary. */
export interface TransportRequest {
  /** At-least-once messages kept while offline. A transport without such an option keeps its own limit. */
  readonly maxBuffered?: number | undefined;
  /**
   * The name of a program: given when several share a durable group, each with its own. For transports that need to be told
   * (the client id of MQTT); others need not care.
   */
  readonly program?: string | undefined;
}

/**
 * A broker, as one property sees it: connections that hear each other, and where possible a hand on their links. Properties
 * run at the same time; what one does to its links must not reach another's.
 */
export interface TestBench extends AsyncDisposable {
  /** A new transport that is idle, each time another connection to the same broker. The kit connects and closes it. */
  transport(request: TransportRequest): Transport;
  /** An idle transport to the same broker with credentials that it refuses. */
  stranger?(): Transport;
  /** Resets every connection of this bench; new ones are accepted. */
  cut?(): void | Promise<void>;
  /** Ends every connection of this bench in good order, as a broker does that shuts down; new ones are accepted. */
  hangUp?(): void | Promise<void>;
  /** Resets every connection of this bench and refuses new ones, as a broker does that is down. */
  block?(): void | Promise<void>;
  /** Ends {@link block}. */
  unblock?(): void | Promise<void>;
  /** Nothing passes any more on any connection, and nobody is told. */
  silence?(): void | Promise<void>;
  /** Ends {@link silence}; what was sent meanwhile passes. */
  resume?(): void | Promise<void>;
}
