import type { ConsumeMessage } from 'amqplib';
import { expect, test } from 'vitest';
import { attemptOf, toInbound } from './inbound.js';

function message(headers: Record<string, unknown> | undefined): ConsumeMessage {
  return {
    content: Buffer.from('x'),
    fields: { deliveryTag: 1, redelivered: true, exchange: 'e', routingKey: 'a.b', consumerTag: 'c' },
    properties: {
      contentType: undefined,
      contentEncoding: undefined,
      headers,
      deliveryMode: undefined,
      priority: undefined,
      correlationId: undefined,
      replyTo: undefined,
      expiration: undefined,
      messageId: 7,
      timestamp: undefined,
      type: undefined,
      userId: undefined,
      appId: undefined,
      clusterId: undefined,
    },
  };
}

test('headers become texts; what has parts, and what the broker counts, is left out', () => {
  const inbound = toInbound(
    message({ text: 'a', n: 1, yes: false, table: {}, none: undefined, 'x-delivery-count': 3 }),
    {},
  );
  expect({ ...inbound.headers }).toEqual({ text: 'a', n: '1', yes: 'false' });
  expect(inbound).toMatchObject({ address: 'a.b', redelivered: true, retained: false });
  // Not a text: not a guess either.
  expect(inbound.id).toBeUndefined();
  expect([inbound.attempt, inbound.settle]).toEqual([undefined, undefined]);
  expect(toInbound(message(undefined), {}).headers).toBeUndefined();
});

test('a header with a dangerous name is one like others', () => {
  const table = JSON.parse('{"__proto__": "x"}');
  expect(Object.keys(toInbound(message(table), {}).headers ?? {})).toEqual(['__proto__']);
});

test('the attempt is one more than the broker has counted', () => {
  expect(attemptOf(message(undefined))).toBe(1);
  expect(attemptOf(message({ 'x-delivery-count': 2 }))).toBe(3);
  expect(attemptOf(message({ 'x-delivery-count': 1, 'x-acquired-count': 4 }))).toBe(5);
});
