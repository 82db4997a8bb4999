import fc from 'fast-check';
import type { IPublishPacket } from 'mqtt';
import { expect, test } from 'vitest';
import { toCorrelationData, toInbound } from './inbound.js';

const packet = (properties: IPublishPacket['properties']): IPublishPacket => ({
  cmd: 'publish',
  topic: 'a/b',
  payload: Buffer.from('x'),
  qos: 0,
  dup: true,
  retain: true,
  ...(properties ? { properties } : {}),
});

test('a packet becomes a message; what it does not say is absent', () => {
  expect(toInbound(packet(undefined))).toMatchObject({
    address: 'a/b',
    headers: undefined,
    replyTo: undefined,
    correlationId: undefined,
    retained: true,
    redelivered: true,
  });
});

test('user properties are headers, the last one of a name counts, hostile names are only names', () => {
  const userProperties: Record<string, string | string[]> = Object.create(null);
  Object.assign(userProperties, { a: '1', b: ['1', '2'] });
  Object.defineProperty(userProperties, '__proto__', { value: 'data', enumerable: true });
  const { headers } = toInbound(packet({ userProperties }));
  expect(Object.entries(headers ?? {})).toEqual([
    ['a', '1'],
    ['b', '2'],
    ['__proto__', 'data'],
  ]);
});

test('correlation data come back byte by byte', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (data) => {
      const { correlationId } = toInbound(packet({ correlationData: Buffer.from(data) }));
      expect([...toCorrelationData(correlationId ?? '')]).toEqual([...data]);
    }),
  );
});
