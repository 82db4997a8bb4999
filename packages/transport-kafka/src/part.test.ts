import { expect, test } from 'vitest';
import { Part } from './part.js';
import type { FetchedRecord } from './protocol.js';

const record = (offset: number): FetchedRecord => ({
  offset: String(offset),
  timestamp: '0',
  key: null,
  value: Buffer.from(String(offset)),
});

function part(position: number, offsets: readonly number[], before?: Part): Part {
  const made = new Part('t', 0, position, before, () => {});
  made.position = (offsets.at(-1) ?? position - 1) + 1;
  made.deliver(offsets.map(record));
  return made;
}

/** Takes everything that waits. */
function take(one: Part): { offset: number; given: { attempt: number; done: boolean } }[] {
  const taken: { offset: number; given: { attempt: number; done: boolean } }[] = [];
  for (let next = one.next(); next; next = one.next())
    taken.push({ offset: Number(next.record.offset), given: next.given });
  return taken;
}

test('done is the first that is not, however the handlers finish; gaps of the log do not hold it', () => {
  const one = part(5, [5, 6, 9, 10]);
  expect(one.done).toBe(5);
  const [a, b, c, d] = take(one);
  if (!a || !b || !c || !d) throw new Error('four were delivered');
  one.acknowledge(b.given);
  one.acknowledge(d.given);
  expect(one.done).toBe(5);
  one.acknowledge(a.given);
  expect(one.done).toBe(9);
  one.acknowledge(c.given);
  expect(one.done).toBe(11);
});

test('what waits for room is not done', () => {
  const one = part(0, [0, 1]);
  const first = one.next();
  if (!first) throw new Error('one was delivered');
  one.acknowledge(first.given);
  expect(one.done).toBe(1);
});

test('after a loss what was settled is passed over, and the rest counted on', () => {
  const lost = part(0, [0, 1, 2, 3]);
  const taken = take(lost);
  const second = taken[1];
  if (!second) throw new Error('four were delivered');
  lost.acknowledge(second.given);
  const again = part(0, [0, 1, 2, 3, 4], lost);
  expect(take(again).map(({ offset, given }) => [offset, given.attempt])).toEqual([
    [0, 2],
    [2, 2],
    [3, 2],
    [4, 1],
  ]);
  expect(again.done).toBe(0);
});
