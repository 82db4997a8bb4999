/** What Kafka can do. Nothing of it depends on the broker. */
import { BOTH, type Capabilities } from '@commlib/core';

export const KAFKA_CAPABILITIES: Capabilities = {
  retained: {
    missing:
      'Kafka hands a new subscriber no last message; `start: "earliest"` on a compacted topic reads the last one per key',
  },
  headers: BOTH,
  keys: BOTH,
  expiry: { missing: 'Kafka keeps messages by the retention of the topic, not by their own' },
  // Topics are listed at an interval; the matching is our own.
  wildcards: 'emulated',
  durableWildcards: 'emulated',
  groups: 'native',
  durableGroups: 'native',
  atLeastOnce: 'native',
  // Kafka acknowledges by a position in the log: a refused message is delivered again by this package.
  redelivery: 'emulated',
  // A record carries no trace of earlier deliveries: counted by this package, while its process lives.
  attempts: 'emulated',
  mandatory: { missing: 'a log keeps every message for whoever comes later' },
  replay: BOTH,
  serveModes: ['all', 'compete'],
  exactFilters: true,
  correlation: 'envelope',
  failureData: null,
};
