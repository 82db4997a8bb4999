import { BrokerUnavailable } from './broker.js';
import { findBroker } from './find.js';
import type { RabbitmqBroker } from './rabbitmq.js';
import { startRabbitmq } from './rabbitmq.js';
import { recordUse } from './record.js';

/** What of a RabbitMQ can be handed from the process of the run to the processes of the tests. */
export type SharedRabbitmq = Pick<RabbitmqBroker, 'url' | 'mqttUrl' | 'wsUrl' | 'version' | 'source'>;

/** Where the desk of the run listens; set by the global set-up. */
export const deskVariable = 'COMMLIB_BROKER_DESK';

/**
 * The one RabbitMQ of this test run, started by the first test that asks and ended after the last one. Its tests use names
 * of their own and leave nothing behind. Outside a run of the integration project it throws.
 *
 * @throws BrokerUnavailable when this machine has none.
 */
export async function sharedRabbitmq(): Promise<SharedRabbitmq> {
  const desk = process.env[deskVariable];
  if (desk === undefined) throw new Error('sharedRabbitmq() works in the vitest project "integration" only');
  const found = await findBroker('rabbitmq');
  if (!found.found) throw new BrokerUnavailable(`no RabbitMQ: ${found.why}`);
  const response = await fetch(`${desk}/rabbitmq`, { signal: AbortSignal.timeout(120_000) });
  const text = await response.text();
  if (!response.ok) throw new BrokerUnavailable(text);
  const shared: SharedRabbitmq = JSON.parse(text);
  recordUse({ broker: 'rabbitmq', version: shared.version, source: shared.source });
  return shared;
}

/** The part of the desk that runs in the process of the run: starts once, however many ask. */
export function rabbitmqDesk() {
  let started: Promise<RabbitmqBroker> | undefined;
  return {
    async get(): Promise<SharedRabbitmq> {
      started ??= startRabbitmq();
      const { url, mqttUrl, wsUrl, version, source } = await started;
      return { url, mqttUrl, wsUrl, version, source };
    },
    async stop(): Promise<void> {
      await started?.then(
        (broker) => broker.stop('SIGKILL'),
        () => {},
      );
    },
  };
}
