import { expect, test } from 'vitest';
import { assign, groupProtocols, readAssignment } from './assignor.js';

const member = (memberId: string, topics: readonly string[]) => ({
  memberId,
  memberMetadata: groupProtocols(topics)[0]?.metadata ?? Buffer.alloc(0),
});

async function shared(members: readonly ReturnType<typeof member>[], counts: Record<string, number>) {
  const made = await assign(members, async (topic) => counts[topic] ?? 0);
  return Object.fromEntries(
    made.map(({ memberId, memberAssignment }) => [memberId, readAssignment(memberAssignment)]),
  );
}

test('partitions are spread, every one to one member', async () => {
  expect(await shared([member('a', ['t']), member('b', ['t'])], { t: 3 })).toEqual({
    a: { t: [0, 2] },
    b: { t: [1] },
  });
});

test('only to those who asked for the topic; one that is not there is nobody’s', async () => {
  expect(await shared([member('a', ['t', 'u']), member('b', ['u', 'gone'])], { t: 2, u: 2 })).toEqual({
    a: { t: [0, 1] },
    b: { u: [0, 1] },
  });
});

test('more members than partitions: some have none', async () => {
  expect(await shared([member('a', ['t']), member('b', ['t'])], { t: 1 })).toEqual({ a: { t: [0] }, b: {} });
});
