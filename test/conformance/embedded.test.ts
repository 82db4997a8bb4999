import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll } from 'vitest';
import { type MqttBroker, startEmbedded } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

let broker: MqttBroker;
beforeAll(async () => {
  broker = await startEmbedded({ users: { kit: 'secret' } });
});
afterAll(() => broker?.stop());

const options = { username: 'kit', backoff: { minMs: 20, maxMs: 200 } };
conforms({
  column: 'MQTT 3.1.1, embedded aedes',
  place: 3,
  qualities: ['direct', 'faulty'],
  capabilities: mqtt('mqtt://broker', { version: 4 }).capabilities,
  brokerFaults: {
    'settle.redelivered': 'aedes 1.x does not mark what it sends again (no DUP flag)',
    'wildcards.empty-levels-surely':
      'aedes 1.x keeps no message with an empty level for a durable wildcard subscription',
  },
  create: (quality) =>
    tcpBench(
      broker.url,
      quality,
      (url, { maxBuffered, program }) =>
        mqtt(url, { ...options, password: 'secret', maxBuffered, clientId: program }),
      (url) => mqtt(url, { ...options, password: 'wrong' }),
    ),
});
