/** What Redis can do, and why not what it cannot. */
import type { Capabilities } from '@commlib/core';

/** Why at-least-once subscriptions name one topic. */
export const NO_DURABLE_WILDCARDS = 'a stream is one key: Redis has no consumer groups over many of them';

export const REDIS_CAPABILITIES: Capabilities = {
  retained: { missing: 'Redis keeps no last message of a channel' },
  headers: ['at-least-once'],
  keys: { missing: 'neither channels nor streams have ordering keys' },
  expiry: { missing: 'Redis drops entries of a stream by its length, not by their age' },
  wildcards: 'native',
  durableWildcards: { missing: NO_DURABLE_WILDCARDS },
  groups: {
    missing: 'PUBLISH reaches every subscriber; groups are for at-least-once topics, which are streams',
  },
  durableGroups: 'native',
  atLeastOnce: 'native',
  // A group hands out an entry again when it is claimed; again at once, and the pause before, are this package's work.
  redelivery: 'emulated',
  attempts: 'native',
  mandatory: { missing: 'a list takes requests whether or not somebody reads it' },
  replay: ['at-least-once'],
  serveModes: ['compete'],
  // The globs at the server are wider; this package sorts out the rest, by level, before it hands anything over.
  exactFilters: true,
  correlation: 'address',
  failureData: 'empty',
};
