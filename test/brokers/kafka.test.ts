import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProxy } from '../faults/proxy.js';
import {
  type Certificates,
  describeOn,
  freePort,
  type KafkaBroker,
  makeCertificates,
  sharedKafka,
  startKafka,
} from './index.js';

function client(url: string | undefined, options: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    brokers: [(url ?? '').replace('kafka://', '')],
    logLevel: logLevel.NOTHING,
    // Its own second is short on a busy machine.
    connectionTimeout: 10_000,
    // A broker that has just started, or a topic that was just made, may have no leader yet.
    retry: { retries: 8 },
    ...options,
  });
}

/** For calls that must fail. */
const once = { retry: { retries: 0 } } as const;

async function send(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}

async function create(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }).finally(() => admin.disconnect());
}

async function endOffset(kafka: Kafka, topic: string): Promise<string | undefined> {
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(topic).finally(() => admin.disconnect());
  return offsets[0]?.high;
}

describeOn('kafka', () => {
  test('one broker for the run', async () => {
    const shared = await sharedKafka();
    const kafka = client(shared.url);
    const topic = `brokers-test-${Math.random()}`;
    await create(kafka, topic);
    await send(kafka, topic, 'hello');
    expect(await endOffset(kafka, topic)).toBe('1');
    expect((await sharedKafka()).url).toBe(shared.url);
    expect(shared.version).toMatch(/^\d+\.\d+/);
  }, 120_000);
});

describeOn(
  'kafka',
  () => {
    let certificates: Certificates;
    let broker: KafkaBroker;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      broker = await startKafka({
        users: { alice: 'not "easy"' },
        tls: { ...server, ca },
        properties: { 'auto.create.topics.enable': false },
      });
      await create(client(broker.url), 'kept');
    });
    afterAll(async () => {
      await broker?.stop();
      await certificates?.dispose();
    });

    test('takes the right password, in the clear and over TLS, and no other', async () => {
      // A new object each time: kafkajs keeps the password of the first client in the object it was given.
      const login = (password = 'not "easy"') =>
        ({ sasl: { mechanism: 'plain', username: 'alice', password } }) as const;
      const { ca } = certificates;
      expect(await endOffset(client(broker.saslUrl, login()), 'kept')).toBeDefined();
      expect(await endOffset(client(broker.saslTlsUrl, { ...login(), ssl: { ca } }), 'kept')).toBeDefined();
      const wrong = client(broker.saslUrl, { ...login('easy'), ...once });
      await expect(endOffset(wrong, 'kept')).rejects.toThrow(/authentication/i);
    });

    test('is trusted over TLS with its CA only', async () => {
      const { ca, wrongCa } = certificates;
      expect(await endOffset(client(broker.tlsUrl, { ssl: { ca } }), 'kept')).toBeDefined();
      await expect(
        endOffset(client(broker.tlsUrl, { ssl: { ca: wrongCa }, ...once }), 'kept'),
      ).rejects.toThrow(/unable to verify|self.signed|issuer|signature/i);
    });

    test('makes no topics when told so', async () => {
      await expect(send(client(broker.url, once), 'never-made', 'x')).rejects.toThrow(
        /does not host|not exist/,
      );
    });

    test('keeps what it acknowledged over kill -9 and over SIGTERM, on the same port', async () => {
      await send(client(broker.url), 'kept', 'one');
      // Asked until it is answered: kafkajs asks a leader for its offsets once.
      const end = () => endOffset(client(broker.url), 'kept');
      const first = broker.pid;
      await broker.kill9();
      await expect(endOffset(client(broker.url, once), 'kept')).rejects.toThrow(/ECONNREFUSED|closed|reset/i);
      await broker.restart();
      expect(broker.pid).not.toBe(first);
      await expect.poll(end, { timeout: 30_000 }).toBe('1');
      await send(client(broker.url), 'kept', 'two');
      await broker.restart('SIGTERM');
      await expect.poll(end, { timeout: 30_000 }).toBe('2');
    }, 180_000);
  },
  { own: true },
);

describeOn(
  'kafka',
  () => {
    describe('behind a proxy', () => {
      test('clients stay on the proxy: cut it, and nobody gets through', async () => {
        const port = await freePort();
        await using proxy = await startProxy(port);
        await using broker = await startKafka({ proxied: { port, advertisedPort: proxy.port } });
        const kafka = client(broker.proxiedUrl);
        await create(kafka, 'through');
        await send(kafka, 'through', 'x');
        expect(await endOffset(kafka, 'through')).toBe('1');
        await proxy.refuse();
        await expect(endOffset(client(broker.proxiedUrl, once), 'through')).rejects.toThrow(
          /ECONNREFUSED|closed|reset/i,
        );
        expect(await endOffset(client(broker.url), 'through')).toBe('1');
      }, 120_000);
    });
  },
  { own: true },
);
