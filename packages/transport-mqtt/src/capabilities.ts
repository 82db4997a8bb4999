/** What MQTT can do, and what this broker has said it can. */
import { BOTH, type Capabilities } from '@commlib/core';
import type { Link } from './link.js';
import type { MqttConfig } from './options.js';
import { NEEDS_5 } from './sending.js';

/** `link` undefined: nothing is known yet, MQTT 5 is assumed unless the options say otherwise. */
export function capabilitiesOf(
  link: Link | undefined,
  config: MqttConfig,
  sharedProven = false,
): Capabilities {
  const five = (link?.version ?? config.version) !== 4;
  const groups = groupsOf(link, five, sharedProven);
  return {
    retained: link && !link.limits.retain ? { missing: 'the broker retains nothing' } : true,
    headers: five ? BOTH : { missing: NEEDS_5 },
    keys: { missing: 'MQTT has no ordering keys' },
    expiry: five ? BOTH : { missing: NEEDS_5 },
    wildcards: 'native',
    durableWildcards: 'native',
    groups,
    // A group is a shared subscription in as many sessions as it has programs.
    durableGroups: groups,
    atLeastOnce: 'native',
    // MQTT has no negative acknowledgement: this package delivers again; after a crash the broker does.
    redelivery: 'emulated',
    // MQTT says "again" and does not count: this package does, while its session is there.
    attempts: 'emulated',
    mandatory: five ? true : { missing: 'an MQTT 3.1.1 broker does not tell' },
    replay: { missing: 'an MQTT broker keeps the last message of a topic at most' },
    serveModes: groups === 'native' ? ['all', 'compete'] : ['all'],
    exactFilters: true,
    correlation: 'address',
    failureData: null,
  };
}

function groupsOf(link: Link | undefined, five: boolean, sharedProven: boolean): Capabilities['groups'] {
  if (sharedProven) return 'native';
  if (!five) {
    return {
      missing:
        'MQTT 3.1.1 has no shared subscriptions; for a broker that has them all the same, set probeSharedSubscriptions',
    };
  }
  return link && !link.limits.sharedSubscriptions
    ? { missing: 'the broker has no shared subscriptions' }
    : 'native';
}
