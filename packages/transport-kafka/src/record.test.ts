import { expect, test } from 'vitest';
import { parsePosition, toInbound, toRecord } from './record.js';

const fetched = { offset: '42', timestamp: '0', key: null, value: Buffer.from('x') };

test('an empty key, as commlib-py writes it, is none; so is a missing one', () => {
  expect(toInbound('t', 1, { ...fetched, key: Buffer.alloc(0) }).key).toBeUndefined();
  expect(toInbound('t', 1, fetched).key).toBeUndefined();
  expect(toInbound('t', 1, { ...fetched, key: Buffer.from('k') }).key).toBe('k');
});

test('a tombstone has an empty payload; of a header sent twice the last counts, and __proto__ is a name', () => {
  const headers = JSON.parse('{"a":["1","2"],"__proto__":"evil"}');
  const inbound = toInbound('t', 1, { ...fetched, value: null, headers });
  expect(inbound.payload.length).toBe(0);
  expect(Object.entries(inbound.headers ?? {})).toEqual([
    ['a', '2'],
    ['__proto__', 'evil'],
  ]);
  expect(inbound.position).toBe('1:42');
});

test('positions', () => {
  expect(parsePosition('1:42, 0:7')).toEqual(
    new Map([
      [1, 42],
      [0, 7],
    ]),
  );
  for (const bad of ['', '42', '1:', '-1:2', '1:2;2:3', '1:99999999999999999'])
    expect(parsePosition(bad)).toBeUndefined();
});

test('a payload is not copied', () => {
  const payload = new Uint8Array([1, 2, 3]).subarray(1);
  expect(toRecord(payload).value.buffer).toBe(payload.buffer);
  expect([...toRecord(payload).value]).toEqual([2, 3]);
});
