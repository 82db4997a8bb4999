import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectOptions, Inbound, SubscribeOptions, Transport, TransportEvent } from '@commlib/core';
import { type MqttOptions, mqtt } from '@commlib/transport-mqtt';

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

/** Connects; `await using` closes. */
export async function connected(
  url: string,
  options: MqttOptions = {},
  connecting: Partial<ConnectOptions> = {},
): Promise<Connected> {
  const transport = mqtt(url, { backoff: { minMs: 20, maxMs: 200 }, ...options });
  const events: TransportEvent[] = [];
  await transport.connect({
    timeoutMs: 10_000,
    failFast: false,
    onEvent: (event) => events.push(event),
    ...connecting,
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

/** True when the promise has settled within the time. */
export function settles(promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  const done = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([done, sleep(withinMs, false)]);
}

/** One level of a name that nobody else uses. Without a dot: RabbitMQ turns dots of MQTT topics into slashes. */
export function unique(): string {
  return Math.random().toString(36).slice(2);
}
