/** The queues of groups. All are durable: RabbitMQ refuses shared queues that are not, from 4.3 on. */
import { CommlibError, matches } from '@commlib/core';
import { toOurs } from './fanout.js';
import type { Link } from './link.js';
import { checkKey, part } from './names.js';
import type { AmqpConfig } from './options.js';
import { topologyOf } from './topology.js';

/** A queue that nobody consumes from is deleted after this time, where it holds nothing of value. */
export const UNUSED_MS = 60_000;

/**
 * RabbitMQ 4 drops a message of a quorum queue after 20 deliveries by default, without a word. -1 for "never" is refused
 * before 4.0; a number that is never reached works on all.
 */
const NEVER = 2_147_483_647;

/** The queue of an at-least-once group: `<group>:<filter>`, with the exchange in between when it is not `amq.topic`. */
export function groupQueue(config: AmqpConfig, group: string, filter: string): string {
  const exchange = config.exchange === 'amq.topic' ? [] : [part(config.exchange)];
  return checkKey([part(group), ...exchange, part(filter)].join(':'));
}

/** Declares the durable queue of a group and binds it. A quorum queue: it survives, and it counts deliveries. */
export async function declareGroup(
  link: Link,
  config: AmqpConfig,
  group: string,
  filter: string,
): Promise<string> {
  const queue = groupQueue(config, group, filter);
  const what = `the group ${group} on ${filter}`;
  await topologyOf(link).run(what, (channel) =>
    channel.assertQueue(queue, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': NEVER,
        ...(config.groupExpiryMs === undefined ? {} : { 'x-expires': config.groupExpiryMs }),
      },
    }),
  );
  await topologyOf(link).run(what, (channel) => channel.bindQueue(queue, config.exchange, filter));
  return queue;
}

/** Declares the queue of an at-most-once group: gone with its last member. */
export async function declareSharing(
  link: Link,
  config: AmqpConfig,
  group: string,
  filter: string,
): Promise<string> {
  const queue = checkKey(`${groupQueue(config, group, filter)}:shared`);
  const what = `the group ${group} on ${filter}`;
  await topologyOf(link).run(what, (channel) =>
    channel.assertQueue(queue, {
      durable: true,
      autoDelete: true,
      arguments: { 'x-expires': UNUSED_MS },
    }),
  );
  await topologyOf(link).run(what, (channel) => channel.bindQueue(queue, config.exchange, filter));
  return queue;
}

/** Declares a queue of this connection's own, for a filter that cannot be routed here. */
export async function declareOwn(link: Link, config: AmqpConfig, filter: string): Promise<string> {
  const topology = topologyOf(link);
  const what = `subscription to ${filter}`;
  const { queue } = await topology.run(what, (channel) =>
    channel.assertQueue('', { exclusive: true, durable: false, autoDelete: true }),
  );
  await topology.run(what, (channel) => channel.bindQueue(queue, config.exchange, filter));
  return queue;
}

/**
 * Ends a group, unless it has members left. Quorum queues know no "if unused", and count a consumer for a while after it
 * was cancelled.
 */
export async function forgetGroup(link: Link, queue: string): Promise<void> {
  const topology = topologyOf(link);
  const what = `ending the group of ${queue}`;
  const end = performance.now() + FORGET_MS;
  try {
    for (let unused = false; performance.now() < end; ) {
      const asked = performance.now();
      const { consumerCount } = await topology.run(what, (channel) => channel.checkQueue(queue));
      const answered = performance.now();
      if (consumerCount === 0 && (unused || answered - asked < STALE_MS)) {
        await topology.run(what, (channel) => channel.deleteQueue(queue));
        return;
      }
      unused = consumerCount === 0;
      await new Promise((resolve) => setTimeout(resolve, FORGET_PAUSE_MS));
    }
  } catch (error) {
    // Gone with the connection, or ended by another.
    if (!link.alive || (CommlibError.is(error) && error.context.replyCode === 404)) return;
    throw error;
  }
}

const FORGET_MS = 2000;
const FORGET_PAUSE_MS = 50;
/** RabbitMQ waits 250 ms for a quorum queue to give its figures, and says 0 then: a 0 that comes so late is asked for again. */
const STALE_MS = 200;

/**
 * Matches again where the broker's wildcards are wider than ours: it takes a name with `/` for one word, and lets a wildcard
 * stand for a first level that begins with `$`. Undefined where they are the same.
 */
export function stricter(filter: string): ((address: string) => boolean) | undefined {
  const levels = filter.split('.');
  const hash = levels.indexOf('#');
  if (hash === -1 ? !levels.includes('*') : hash < levels.length - 1) return undefined;
  const ours = toOurs(levels);
  return (address) =>
    address.startsWith('$') || address.includes('/') ? matches(ours, address.split(/[./]/)) : true;
}
