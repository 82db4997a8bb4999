import type { ConnectOptions, Inbound, SubscribeOptions, Transport, TransportEvent } from '@commlib/core';
import { type RedisOptions, redis } from '@commlib/transport-redis';

/** A connected transport with everything it has said. */
export interface Connected {
  readonly transport: Transport;
  readonly events: TransportEvent[];
  /** The states it went through. */
  states(): string[];
  [Symbol.asyncDispose](): Promise<void>;
}

export const text = (message: Pick<Inbound, 'payload'>): string => new TextDecoder().decode(message.payload);
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);

/** At most once, the way core subscribes by default. */
export const lossy: SubscribeOptions = { delivery: 'at-most-once', maxInFlight: 1000 };
/** At least once, as this group. */
export const durable = (group: string, more: Partial<SubscribeOptions> = {}): SubscribeOptions => ({
  delivery: 'at-least-once',
  group,
  maxInFlight: 100,
  ...more,
});
/** At least once, of a publisher. */
export const surely = { delivery: 'at-least-once' } as const;

export const connecting: ConnectOptions = { timeoutMs: 20_000, failFast: true, onEvent: () => {} };

/** Connects; `await using` closes. */
export async function connected(
  url: string,
  options: RedisOptions = {},
  how: Partial<ConnectOptions> = {},
): Promise<Connected> {
  const transport = redis(url, { backoff: { minMs: 20, maxMs: 200 }, ...options });
  const events: TransportEvent[] = [];
  await transport.connect({
    ...connecting,
    timeoutMs: 10_000,
    failFast: false,
    onEvent: (event) => events.push(event),
    ...how,
  });
  return {
    transport,
    events,
    states: () => events.flatMap((event) => (event.type === 'status' ? [event.status.state] : [])),
    [Symbol.asyncDispose]: () => transport.close({ deadlineMs: 2_000 }),
  };
}

/** Resolves with what the promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
}

/** Everything an error shows, its causes included. */
export function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = Object.getOwnPropertyNames(error).map((name) => JSON.stringify(Reflect.get(error, name)) ?? '');
  return [error.message, ...own, said(error.cause ?? '')].join(' ');
}

/** One level of a name that nobody else uses. */
export function unique(): string {
  return `t${Math.random().toString(36).slice(2)}`;
}
