import { amqp } from '@commlib/transport-amqp';
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

  conforms({
    column: 'AMQP, RabbitMQ, names: mqtt',
    place: 6,
    qualities: ['direct'],
    capabilities: amqp('amqp://broker', { names: 'mqtt' }).capabilities,
    create: (quality) =>
      tcpBench(broker.url, quality, (url, { maxBuffered }) =>
        amqp(url, { names: 'mqtt', maxBuffered, backoff: { minMs: 20, maxMs: 200 } }),
      ),
  });

  conforms({
    column: 'AMQP, RabbitMQ',
    place: 5,
    qualities: ['direct', 'faulty'],
    capabilities: amqp('amqp://broker').capabilities,
    create: (quality) =>
      tcpBench(broker.url, quality, (url, { maxBuffered }) =>
        amqp(url, { maxBuffered, backoff: { minMs: 20, maxMs: 200 } }),
      ),
  });
});
