import type { TransportRequest } from '@commlib/conformance';
import type { Transport } from '@commlib/core';
import { kafka } from '@commlib/transport-kafka';
import { afterAll, beforeAll } from 'vitest';
import { describeOn, type KafkaBroker, startKafka } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

describeOn('kafka', () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    // As it comes, a Kafka takes no message of 1 MiB: its limit is that size with what is around it.
    broker = await startKafka({ users: { kit: 'secret' }, properties: { 'message.max.bytes': 2_097_152 } });
  });
  afterAll(() => broker?.stop('SIGKILL'));

  conforms({
    column: 'Kafka',
    place: 8,
    qualities: ['direct', 'faulty'],
    timeoutMs: 120_000,
    capabilities: kafka('kafka://broker').capabilities,
    create: (quality) =>
      tcpBench(broker.saslUrl ?? '', quality, transport('secret'), (url) => transport('wrong')(url, {})),
  });
});

function transport(password: string) {
  return (url: string, { maxBuffered }: TransportRequest): Transport => {
    const { hostname: host, port } = new URL(url);
    return kafka(url, {
      sasl: { username: 'kit', password },
      maxBuffered,
      backoff: { minMs: 20, maxMs: 200 },
      // A broker tells its clients where to go, and knows nothing of the proxy.
      route: () => ({ host, port: Number(port) }),
      // So that a member that is gone is missed soon.
      sessionTimeoutMs: 10_000,
    });
  };
}
