import type { IPublishPacket } from 'mqtt';
import { expect, test } from 'vitest';
import { LIMITS_OF_3 } from './limits.js';
import type { Link } from './link.js';
import { type Entry, type Member, Routes } from './routes.js';

// Only its limits are asked for here.
const link = { limits: { ...LIMITS_OF_3, subscriptionIdentifiers: true } } as Link;

function member(name: string, got: string[]): Member {
  return {
    qos: 0,
    onPacket: (packet) => got.push(`${name} ${packet.payload}`),
    confirmedOn: undefined,
    refused: undefined,
  };
}

function entry(filter: string, members: Member[]): Entry {
  return {
    filter,
    levels: filter.split('/'),
    shared: false,
    members: new Set(members),
    last: Promise.resolve(),
    identifiers: [],
  };
}

function packet(payload: string, retain: boolean): IPublishPacket {
  return { cmd: 'publish', topic: 'a/b', payload, qos: 0, dup: false, retain };
}

test('a message without an identifier, where everything has one, is not lost', () => {
  const got: string[] = [];
  const routes = new Routes();
  const early = member('early', got);
  const late = member('late', got);
  const exact = entry('a/b', [early]);
  const wide = entry('a/#', [member('wide', got)]);
  for (const one of [exact, wide]) {
    routes.add(one);
    routes.identify(link, one, one.members);
  }
  exact.members.add(late);
  routes.identify(link, exact, [late]);

  // Kept before: for who has just joined on that very topic.
  routes.deliver(link, packet('kept', true));
  expect(got).toEqual(['late kept']);
  routes.deliver(link, packet('live', false));
  expect(got.slice(1).sort()).toEqual(['early live', 'late live', 'wide live']);
});
