import { expect, test } from 'vitest';
import { PacketIds } from './packet-ids.js';

test('every identifier once, none twice at a time, none when all are under way', () => {
  const ids = new PacketIds();
  const given = new Set(Array.from({ length: 65_535 }, () => ids.allocate()));
  expect(given.size).toBe(65_535);
  expect(given.has(0)).toBe(false);
  expect(given.has(null)).toBe(false);
  expect(ids.allocate()).toBeNull();
  ids.deallocate(17);
  ids.deallocate(17);
  expect(ids.allocate()).toBe(17);
  expect(ids.allocate()).toBeNull();
});

test('an identifier just given back is not the next one given out', () => {
  const ids = new PacketIds();
  expect(ids.allocate()).toBe(1);
  ids.deallocate(1);
  expect(ids.allocate()).toBe(2);
  expect(ids.getLastAllocated()).toBe(2);
  expect(ids.register(2)).toBe(false);
  expect(ids.register(3)).toBe(true);
  expect(ids.allocate()).toBe(4);
  ids.clear();
  expect(ids.register(2)).toBe(true);
});
