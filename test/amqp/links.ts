import type { ConnectOptions, SubscribeOptions, Transport, TransportEvent } from '@commlib/core';
import { type AmqpOptions, amqp } from '@commlib/transport-amqp';
import { type Channel, type ChannelModel, connect } from 'amqplib';

export { bytes, lossy, rejection, settles, text, unique } from '../mqtt/links.js';

/** At least once, in a group. */
export const durable = (group: string, maxInFlight = 100): SubscribeOptions => ({
  delivery: 'at-least-once',
  group,
  maxInFlight,
});
export const surely = { delivery: 'at-least-once' } as const;

/** A connected transport with everything it has said. */
export interface Connected {
  readonly transport: Transport;
  readonly events: TransportEvent[];
  /** The states it went through. */
  states(): string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Connects; `await using` closes. */
export async function connected(
  url: string | readonly string[],
  options: AmqpOptions = {},
  connecting: Partial<ConnectOptions> = {},
): Promise<Connected> {
  const transport = amqp(url, { backoff: { minMs: 20, maxMs: 200 }, ...options });
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

/** The plain client, to look at the broker from outside. */
export interface Plain extends AsyncDisposable {
  readonly model: ChannelModel;
  readonly channel: Channel;
}

export async function plain(url: string): Promise<Plain> {
  const model = await connect(url, { noDelay: true });
  model.on('error', () => {});
  const channel = await model.createChannel();
  channel.on('error', () => {});
  return {
    model,
    channel,
    [Symbol.asyncDispose]: () => model.close().catch(() => {}),
  };
}
