/** A delivery as core's message. */
import type { Headers, Inbound } from '@commlib/core';
import type { ConsumeMessage } from 'amqplib';

/** What the transport knows about a delivery beside the delivery itself. */
export interface Extras {
  readonly replyTo?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly attempt?: number | undefined;
}

/** Headers of the broker, not of the sender. */
const BROKERS = new Set(['x-delivery-count', 'x-acquired-count']);

export function toInbound(message: ConsumeMessage, extras: Extras, settle?: Inbound['settle']): Inbound {
  const { fields, properties } = message;
  return {
    address: fields.routingKey,
    payload: message.content,
    headers: headersOf(properties.headers),
    id: textOrNone(properties.messageId),
    replyTo: extras.replyTo,
    correlationId: extras.correlationId,
    retained: false,
    redelivered: fields.redelivered,
    attempt: extras.attempt,
    settle,
  };
}

export function textOrNone(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** AMQP headers have types, ours are texts: numbers and truth values become texts, what has parts is left out. */
function headersOf(table: Readonly<Record<string, unknown>> | undefined): Headers | undefined {
  if (table === undefined) return undefined;
  let headers: Record<string, string> | undefined;
  for (const name of Object.keys(table)) {
    if (BROKERS.has(name)) continue;
    const value = table[name];
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') continue;
    // Without a prototype: a header may be called __proto__.
    headers ??= Object.create(null) as Record<string, string>;
    headers[name] = String(value);
  }
  return headers;
}

/**
 * Which delivery of a quorum queue's message this is. `x-delivery-count` is absent on the first; RabbitMQ 4 counts what was
 * given back without a failure in `x-acquired-count` only.
 */
export function attemptOf(message: ConsumeMessage): number {
  const headers: Readonly<Record<string, unknown>> | undefined = message.properties.headers;
  const count = (name: string) => {
    const value = headers?.[name];
    return typeof value === 'number' ? value : 0;
  };
  return 1 + Math.max(count('x-delivery-count'), count('x-acquired-count'));
}
