/** What AMQP 0-9-1 on RabbitMQ can do. All of it is known beforehand. */
import { BOTH, type Capabilities } from '@commlib/core';
import type { AmqpNames } from './options.js';

export function capabilitiesOf(names: AmqpNames): Capabilities {
  return {
    retained: { missing: 'AMQP keeps no last message of a topic' },
    headers: BOTH,
    keys: { missing: 'AMQP has no ordering keys' },
    expiry: BOTH,
    wildcards: 'native',
    durableWildcards: 'native',
    groups: 'native',
    durableGroups: 'native',
    atLeastOnce: 'native',
    redelivery: 'native',
    // The groups are quorum queues, which count.
    attempts: 'native',
    mandatory: true,
    replay: { missing: 'AMQP queues keep nothing for subscriptions that did not exist' },
    // On the topic exchange every service has a queue of its own, as every MQTT client has.
    serveModes: names === 'mqtt' ? ['all', 'compete'] : ['exclusive', 'compete'],
    exactFilters: true,
    correlation: names === 'mqtt' ? 'address' : 'metadata',
    rawBodies: names === 'mqtt' ? { missing: 'MQTT endpoints find the reply address in the envelope' } : true,
    failureData: names === 'mqtt' ? null : 'empty',
  };
}
