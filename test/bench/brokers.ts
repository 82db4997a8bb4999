/** The brokers of the measurement: one that lets the clients do what they can, and one as it comes. */
import { findBroker, type MqttBroker, startMosquitto } from '../brokers/index.js';

export interface BenchBroker {
  readonly id: string;
  /** For the heading. */
  readonly title: string;
  start(): Promise<MqttBroker>;
}

/** The tests' Mosquitto logs every packet; here it only says when it is ready, and what is wrong. */
const QUIET = ['none', 'error', 'warning', 'information'].map((type) => `log_type ${type}`);

export const benchBrokers: readonly BenchBroker[] = [
  {
    id: 'tuned',
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
    title: "Mosquitto's own defaults (Nagle's algorithm on, 20 messages in flight)",
    start: () => startMosquitto({ own: true, tcpNoDelay: false, config: QUIET }),
  },
];

/** Undefined when there is one, otherwise why not. */
export async function whyNoBroker(): Promise<string | undefined> {
  const found = await findBroker('mosquitto', { own: true });
  return found.found ? undefined : `no Mosquitto: ${found.why}`;
}
