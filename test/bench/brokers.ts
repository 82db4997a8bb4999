/** The brokers of the measurement: Mosquitto as it comes and as it should be, the others with durable data as it should be. */
import {
  type Broker,
  type BrokerName,
  findBroker,
  startKafka,
  startMosquitto,
  startRabbitmq,
  startRedis,
} from '../brokers/index.js';
import type { Transport } from './scenarios.js';

export interface BenchBroker {
  readonly id: string;
  readonly transport: Transport;
  readonly server: BrokerName;
  /** For the heading. */
  readonly title: string;
  start(): Promise<Broker & { readonly url: string }>;
}

/** The tests' Mosquitto logs every client; here it only says when it is ready, and what is wrong. */
const QUIET = ['none', 'error', 'warning', 'information'].map((type) => `log_type ${type}`);

export const benchBrokers: readonly BenchBroker[] = [
  {
    id: 'tuned',
    transport: 'mqtt',
    server: 'mosquitto',
    title: 'set_tcp_nodelay true, max_inflight_messages 0 (no limit)',
    start: () =>
      startMosquitto({
        own: true,
        tcpNoDelay: true,
        config: [...QUIET, 'max_inflight_messages 0', 'max_queued_messages 10000'],
      }),
  },
  {
    id: 'default',
    transport: 'mqtt',
    server: 'mosquitto',
    title: "Mosquitto's own defaults (Nagle's algorithm on, 20 messages in flight)",
    start: () => startMosquitto({ own: true, tcpNoDelay: false, config: QUIET }),
  },
  {
    id: 'amqp',
    transport: 'amqp',
    server: 'rabbitmq',
    title: 'no-delay; durable queues',
    start: () => startRabbitmq({ own: true }),
  },
  {
    id: 'redis',
    transport: 'redis',
    server: 'redis',
    title: 'as it comes',
    start: () => startRedis({ own: true }),
  },
  {
    id: 'kafka',
    transport: 'kafka',
    server: 'kafka',
    title: 'one node, KRaft',
    start: () => startKafka({ own: true }),
  },
];

/** Undefined when there is one, otherwise why not. */
export async function whyNoBroker(server: BrokerName): Promise<string | undefined> {
  const found = await findBroker(server, { own: true });
  return found.found ? undefined : `no ${server}: ${found.why}`;
}
