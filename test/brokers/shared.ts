import { BrokerUnavailable } from './broker.js';
import { type BrokerName, findBroker } from './find.js';
import { type KafkaBroker, startKafka } from './kafka.js';
import { type RabbitmqBroker, startRabbitmq } from './rabbitmq.js';
import { recordUse } from './record.js';
import { type RedisServer, startRedis } from './redis.js';

/** What of a RabbitMQ can be handed from the process of the run to the processes of the tests. */
export type SharedRabbitmq = Pick<
  RabbitmqBroker,
  'url' | 'mqttUrl' | 'wsUrl' | 'port' | 'version' | 'source'
>;
/** Likewise of a Redis. */
export type SharedRedis = Pick<RedisServer, 'url' | 'port' | 'version' | 'source'>;
/** Likewise of a Kafka. */
export type SharedKafka = Pick<KafkaBroker, 'url' | 'brokers' | 'port' | 'version' | 'source'>;

/** Where the desk of the run listens; set by the global set-up. */
export const deskVariable = 'COMMLIB_BROKER_DESK';

/**
 * The one RabbitMQ of this test run, started by the first test that asks and ended after the last one. Its tests use names
 * of their own and leave nothing behind. Outside a run of the integration project it throws.
 *
 * @throws BrokerUnavailable when this machine has none.
 */
export function sharedRabbitmq(): Promise<SharedRabbitmq> {
  return ask('rabbitmq');
}

/** The one Redis of this test run, likewise. It keeps nothing over a restart. */
export function sharedRedis(): Promise<SharedRedis> {
  return ask('redis');
}

/** The one Kafka of this test run, likewise. It makes a topic when one is written to or asked for. */
export function sharedKafka(): Promise<SharedKafka> {
  return ask('kafka');
}

async function ask<T extends { version: string; source: string }>(name: BrokerName): Promise<T> {
  const desk = process.env[deskVariable];
  if (desk === undefined)
    throw new Error('a shared broker is there in the vitest project "integration" only');
  const found = await findBroker(name);
  if (!found.found) throw new BrokerUnavailable(`no ${name}: ${found.why}`);
  const response = await fetch(`${desk}/${name}`, { signal: AbortSignal.timeout(120_000) });
  const text = await response.text();
  if (!response.ok) throw new BrokerUnavailable(text);
  const shared: T = JSON.parse(text);
  recordUse({ broker: name, version: shared.version, source: shared.source });
  return shared;
}

/** The part of the desk that runs in the process of the run: starts each broker once, however many ask. */
export function brokerDesk() {
  const rabbitmq = once(startRabbitmq);
  const redis = once(startRedis);
  const kafka = once(startKafka);
  const counters: Readonly<Record<string, () => Promise<object>>> = {
    async '/rabbitmq'(): Promise<SharedRabbitmq> {
      const { url, mqttUrl, wsUrl, port, version, source } = await rabbitmq.get();
      return { url, mqttUrl, wsUrl, port, version, source };
    },
    async '/redis'(): Promise<SharedRedis> {
      const { url, port, version, source } = await redis.get();
      return { url, port, version, source };
    },
    async '/kafka'(): Promise<SharedKafka> {
      const { url, brokers, port, version, source } = await kafka.get();
      return { url, brokers, port, version, source };
    },
  };
  return {
    /** What is handed out at a path, or undefined. */
    at: (path: string) => (Object.hasOwn(counters, path) ? counters[path] : undefined),
    async stop(): Promise<void> {
      await Promise.all([rabbitmq.stop(), redis.stop(), kafka.stop()]);
    },
  };
}

function once<T extends { stop(signal: NodeJS.Signals): Promise<void> }>(start: () => Promise<T>) {
  let started: Promise<T> | undefined;
  return {
    get(): Promise<T> {
      started ??= start();
      return started;
    },
    async stop(): Promise<void> {
      await started?.then(
        (broker) => broker.stop('SIGKILL'),
        () => {},
      );
    },
  };
}
