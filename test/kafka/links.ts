import type { ConnectOptions, Inbound, SubscribeOptions, Transport, TransportEvent } from '@commlib/core';
import { type KafkaOptions, kafka } from '@commlib/transport-kafka';

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

export const durable = (group: string, maxInFlight = 100): SubscribeOptions => ({
  delivery: 'at-least-once',
  group,
  maxInFlight,
});

export const surely = { delivery: 'at-least-once' } as const;

/** Connects; `await using` closes. */
export async function connected(
  url: string,
  options: KafkaOptions = {},
  connecting: Partial<ConnectOptions> = {},
): Promise<Connected> {
  const transport = kafka(url, { backoff: { minMs: 20, maxMs: 200 }, ...options });
  const events: TransportEvent[] = [];
  await transport.connect({
    timeoutMs: 15_000,
    failFast: false,
    onEvent: (event) => events.push(event),
    ...connecting,
  });
  return {
    transport,
    events,
    states: () => events.flatMap((event) => (event.type === 'status' ? [event.status.state] : [])),
    [Symbol.asyncDispose]: () => transport.close({ deadlineMs: 3_000 }),
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

/** One level of a name that nobody else uses. */
export function unique(): string {
  return Math.random().toString(36).slice(2);
}
