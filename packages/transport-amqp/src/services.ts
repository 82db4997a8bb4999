/** The queues of services. */
import { type Inbound, type Intake, type ServeOptions, UnsupportedError } from '@commlib/core';
import type { ConsumeMessage } from 'amqplib';
import { Consumer, intakeOf } from './consumer.js';
import { isLocked } from './errors.js';
import { UNUSED_MS } from './groups.js';
import { textOrNone } from './inbound.js';
import type { Link } from './link.js';
import { checkKey, DIRECT_REPLY, part } from './names.js';
import type { AmqpConfig } from './options.js';
import type { Registry } from './registry.js';
import { topologyOf } from './topology.js';

/** Services that take so many requests at once get more in hand. */
const MANY = 32;
/** How often an exclusive queue is asked for that a dead connection still holds. */
const LOCKED_RETRY_MS = 250;

export interface ServiceHost {
  readonly config: AmqpConfig;
  readonly registry: Registry;
  readonly wanted: (message: ConsumeMessage) => boolean;
  readonly onTrouble: (address: string) => ConstructorParameters<typeof Consumer>[0]['onTrouble'];
}

export async function serve(
  { config, registry, wanted, onTrouble }: ServiceHost,
  address: string,
  options: ServeOptions,
  onRequest: (request: Inbound) => void,
): Promise<Intake> {
  checkKey(address);
  const declare = declaration(config, address, options);
  const consumer = new Consumer({
    what: `the service ${address}`,
    declare,
    prefetch: inHand(options.maxInFlight),
    wanted,
    extras: config.names === 'mqtt' ? ofTopic : ofQueue,
    onMessage: onRequest,
    onTrouble: onTrouble(address),
  });
  await registry.add(consumer);
  return intakeOf(consumer, async () => registry.delete(consumer));
}

/**
 * A consumer at its limit is out of the broker's turn until its next acknowledgement, which costs the broker time. So who works on many
 * at once gets as many again in hand; who works on few gets no more: what waits here could be with an idle service elsewhere.
 */
function inHand(maxInFlight: number): number {
  return maxInFlight < MANY ? maxInFlight : 2 * maxInFlight;
}

function declaration(
  config: AmqpConfig,
  address: string,
  { mode, group }: ServeOptions,
): (link: Link) => Promise<string> {
  const what = `the service ${address}`;
  if (config.names === 'mqtt') {
    if (mode === 'exclusive')
      throw new UnsupportedError(
        'exclusive services',
        'over a topic exchange a request goes to every service',
      );
    const queue = mode === 'compete' ? checkKey(`${part(group ?? address)}:${part(address)}:rpc`) : undefined;
    return async (link) => {
      const topology = topologyOf(link);
      const declared = await topology.run(what, (channel) =>
        queue === undefined
          ? channel.assertQueue('', { exclusive: true, durable: false, autoDelete: true })
          : channel.assertQueue(queue, SHARED),
      );
      await topology.run(what, (channel) => channel.bindQueue(declared.queue, config.exchange, address));
      return declared.queue;
    };
  }
  if (mode === 'all')
    throw new UnsupportedError(
      'services that are all asked',
      'the default exchange knows one queue per name',
    );
  if (mode === 'compete') {
    return async (link) => {
      await topologyOf(link).run(what, (channel) => channel.assertQueue(address, SHARED));
      return address;
    };
  }
  const exclusive = {
    exclusive: true,
    durable: false,
    autoDelete: true,
    arguments: config.commlibQueues ? COMMLIB_RPC : {},
  };
  let stood = false;
  return async (link) => {
    // The broker learns of a dead connection by its heartbeat; until then the connection holds the queue.
    const patience = performance.now() + Math.max(10_000, config.heartbeatSeconds * 3000);
    for (;;) {
      try {
        await topologyOf(link).run(what, (channel) => channel.assertQueue(address, exclusive));
        stood = true;
        return address;
      } catch (error) {
        if (!stood || !isLocked(error) || performance.now() > patience) throw error;
        await pause(link);
      }
    }
  };
}

function pause(link: Link): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, LOCKED_RETRY_MS);
    const stop = link.onEnd((error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** The reply address is a property; the broker made it from `amq.rabbitmq.reply-to`. */
function ofQueue({ properties }: ConsumeMessage) {
  return {
    replyTo: textOrNone(properties.replyTo),
    correlationId: textOrNone(properties.correlationId),
  };
}

/**
 * MQTT endpoints name the reply topic in the envelope. Only an AMQP caller that waits on a direct reply address has it in the
 * property; whatever else RabbitMQ may have put there is not an address we can answer to.
 */
function ofTopic(message: ConsumeMessage) {
  const own = ofQueue(message);
  return own.replyTo?.startsWith(`${DIRECT_REPLY}.`) ? own : {};
}

/** Durable, since RabbitMQ 4.3 refuses shared queues that are not; gone with the last service. */
const SHARED = { durable: true, autoDelete: true, arguments: { 'x-expires': UNUSED_MS } };

/** commlib-py's own, `amqp.py`: ten requests at most, the oldest dropped. */
const COMMLIB_RPC = {
  'x-max-length': 10,
  'x-overflow': 'drop-head',
  'x-message-ttl': 60_000,
  'x-expires': 600_000,
} as const;
