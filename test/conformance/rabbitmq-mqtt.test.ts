import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll } from 'vitest';
import { describeOn, type RabbitmqBroker, startRabbitmq } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

describeOn('rabbitmq', () => {
  let broker: RabbitmqBroker;
  beforeAll(async () => {
    broker = await startRabbitmq();
  });
  afterAll(() => broker?.stop('SIGKILL'));

  const options = { version: 4, backoff: { minMs: 20, maxMs: 200 } } as const;
  conforms({
    column: 'MQTT 3.1.1, RabbitMQ',
    place: 4,
    qualities: ['direct', 'faulty'],
    capabilities: mqtt('mqtt://broker', { version: 4 }).capabilities,
    brokerFaults: {
      'names.literal': 'RabbitMQ turns the dots of an MQTT topic into slashes',
    },
    create: (quality) =>
      tcpBench(
        broker.mqttUrl,
        quality,
        (url, { maxBuffered, program }) => mqtt(url, { ...options, maxBuffered, clientId: program }),
        (url) => mqtt(url, { ...options, password: 'wrong' }),
      ),
  });
});
