import { expect, test, vi } from 'vitest';
import type { PartitionOffset } from './membership.js';
import { OffsetCommits } from './offset-commits.js';
import { Part } from './part.js';

/** Commits of two partitions whose first records are done; the test answers them. */
function commits() {
  const made = [0, 1].map((partition) => new Part('t', partition, 0, undefined, () => {}));
  const parts = new Map(made.map((part) => [`t/${part.partition}`, part]));
  const asked: { offsets: readonly PartitionOffset[]; answer: (written: boolean) => void }[] = [];
  const commit = (offsets: readonly PartitionOffset[]) =>
    new Promise<boolean>((answer) => asked.push({ offsets, answer }));
  /** Up to where the handlers of a partition are. */
  const done = (partition: number, offset: number) => {
    const part = parts.get(`t/${partition}`);
    if (!part) throw new Error('there are two partitions');
    part.position = offset;
    part.next();
  };
  const at = (count: number) => vi.waitFor(() => expect(asked.length).toBe(count));
  return { made, asked, done, at, commits: new OffsetCommits({ parts, commit, intervalMs: 5 }) };
}

test('one commit for all that is done within the interval, of those partitions only', async () => {
  const { asked, done, at, commits: one } = commits();
  done(1, 3);
  one.soon();
  one.soon();
  done(1, 4);
  await at(1);
  expect(asked[0]?.offsets).toEqual([{ topic: 't', partition: 1, offset: 4 }]);
});

test('a later commit waits for the earlier', async () => {
  const { made, asked, done, at, commits: one } = commits();
  done(0, 1);
  const first = one.now();
  await at(1);
  done(0, 2);
  const second = one.now();
  await new Promise(setImmediate);
  expect(asked.length).toBe(1);
  asked[0]?.answer(true);
  await first;
  await at(2);
  asked[1]?.answer(true);
  await second;
  expect(asked.map(({ offsets }) => offsets[0]?.offset)).toEqual([1, 2]);
  expect(made[0]?.committed).toBe(2);
});

test('what was not written is written later', async () => {
  const { made, asked, done, at, commits: one } = commits();
  done(0, 1);
  const first = one.now();
  await at(1);
  asked[0]?.answer(false);
  await first;
  expect(made[0]?.committed).toBe(0);
  await at(2);
  expect(asked[1]?.offsets).toEqual([{ topic: 't', partition: 0, offset: 1 }]);
});

test('a partition that was lost is not committed', async () => {
  const { made, asked, done, at, commits: one } = commits();
  done(0, 1);
  done(1, 1);
  for (const part of made.slice(0, 1)) part.lost = true;
  void one.now();
  await at(1);
  expect(asked[0]?.offsets).toEqual([{ topic: 't', partition: 1, offset: 1 }]);
});
