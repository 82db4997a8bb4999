import { expect, test } from 'vitest';
import type { Outgoing } from './partition-queue.js';
import { Partitioner } from './partitioner.js';
import { toRecord } from './record.js';

const out = (fields: Partial<Outgoing> & { key?: string } = {}): Outgoing => {
  const { key, ...others } = fields;
  return { topic: 't', record: toRecord(new Uint8Array(), { key }), ...others };
};

test('without a key: one partition until a request took it, each topic for itself', () => {
  const partitioner = new Partitioner();
  expect([0, 0].map(() => partitioner.choose(out(), 3))).toEqual([0, 0]);
  partitioner.advance('t', 0);
  expect([0, 0].map(() => partitioner.choose(out(), 3))).toEqual([1, 1]);
  expect(partitioner.choose(out({ topic: 'u' }), 3)).toBe(0);
  partitioner.advance('t', 2);
  expect(partitioner.choose(out(), 3)).toBe(0);
});

test('a key has its partition, whatever was sent meanwhile', () => {
  const partitioner = new Partitioner();
  const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
  const before = keys.map((key) => partitioner.choose(out({ key }), 4));
  partitioner.advance('t', 2);
  expect(keys.map((key) => partitioner.choose(out({ key }), 4))).toEqual(before);
  expect(new Set(before).size).toBeGreaterThan(1);
});

test('the one asked for comes first, then the one it was sent to before, while it is there', () => {
  const partitioner = new Partitioner();
  expect(partitioner.choose(out({ key: 'a', chosen: 1, partition: 7 }), 3)).toBe(7);
  expect(partitioner.choose(out({ chosen: 2 }), 3)).toBe(2);
  expect(partitioner.choose(out({ chosen: 5 }), 3)).toBe(0);
});
