import { CommlibError } from '@commlib/core';
import { expect, test } from 'vitest';
import { type Entry, PartitionQueue } from './partition-queue.js';
import { toRecord } from './record.js';
import { type Batch, Sequences } from './sequences.js';

const entry = (text: string, batch?: Batch, done: Entry['done'] = () => {}): Entry => {
  const record = toRecord(Buffer.from(text));
  return { out: { topic: 't', record, batch }, size: 10, handed: undefined, done };
};
const texts = (entries: readonly Entry[]) => entries.map(({ out }) => out.record.value.toString());

function queue(...entries: Entry[]): PartitionQueue {
  const made = new PartitionQueue('t', 0, false);
  for (const one of entries) made.add(one);
  return made;
}

test('as much as fits, and at least one', () => {
  const one = queue(...['a', 'b', 'c', 'd'].map((text) => entry(text)));
  expect(texts(one.take(25, undefined))).toEqual(['a', 'b']);
  expect(one.bytes).toBe(20);
  expect(texts(one.take(5, undefined))).toEqual(['c']);
  expect(texts(one.take(25, undefined))).toEqual(['d']);
  expect([one.empty, one.bytes]).toEqual([true, 0]);
});

test('what comes back is before what waits', () => {
  const one = queue(entry('a'), entry('b'));
  const taken = one.take(100, undefined);
  one.add(entry('c'));
  one.putBack(taken);
  expect(one.bytes).toBe(30);
  expect(texts(one.take(100, undefined))).toEqual(['a', 'b', 'c']);
});

test('a batch that was sent before goes as it was: not cut, not joined with what came later', () => {
  const sequences = new Sequences();
  const batch = sequences.take('t/0', 2);
  const one = queue(entry('a', batch), entry('b', batch), entry('c'));
  expect(texts(one.take(5, sequences))).toEqual(['a', 'b']);
  expect(sequences.generation).toBe(0);
  expect(texts(one.take(100, sequences))).toEqual(['c']);
});

test('a new batch ends where one begins that was sent before', () => {
  const sequences = new Sequences();
  const one = queue(entry('a'), entry('b', sequences.take('t/0', 1)));
  expect(texts(one.take(100, sequences))).toEqual(['a']);
});

test('the rest of a batch has numbers the broker does not expect: they begin anew', () => {
  const sequences = new Sequences();
  const one = queue(entry('b', sequences.take('t/0', 2)), entry('c'));
  expect(texts(one.take(100, sequences))).toEqual(['b']);
  expect(sequences.generation).toBe(1);
});

test('after a failure nothing waits', () => {
  const errors: (CommlibError | undefined)[] = [];
  const one = queue(...['a', 'b'].map((text) => entry(text, undefined, (error) => errors.push(error))));
  const gone = new CommlibError('GONE', 'the connection is gone');
  one.fail(gone);
  expect([errors, one.empty, one.bytes]).toEqual([[gone, gone], true, 0]);
});

test('what was refused for one among them goes one by one, in order, and what came later together again', () => {
  const one = queue(entry('a'), entry('b'));
  const taken = one.take(100, undefined);
  for (const { out } of taken) out.single = true;
  one.add(entry('c'));
  one.add(entry('d'));
  one.putBack(taken);
  const next = () => texts(one.take(100, undefined));
  expect([next(), next(), next(), next()]).toEqual([['a'], ['b'], ['c', 'd'], []]);
});
