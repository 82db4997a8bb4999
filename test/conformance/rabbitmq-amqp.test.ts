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

  const backoff = { minMs: 20, maxMs: 200 };
  for (const names of ['amqp', 'mqtt'] as const) {
    conforms({
      column: names === 'amqp' ? 'AMQP, RabbitMQ' : 'AMQP, RabbitMQ, names: mqtt',
      place: names === 'amqp' ? 5 : 6,
      qualities: names === 'amqp' ? ['direct', 'faulty'] : ['direct'],
      capabilities: amqp('amqp://broker', { names }).capabilities,
      create: (quality) =>
        tcpBench(
          broker.url,
          quality,
          (url, { maxBuffered }) => amqp(url, { names, maxBuffered, backoff }),
          (url) => amqp(url, { names, password: 'wrong', backoff }),
        ),
    });
  }
});
