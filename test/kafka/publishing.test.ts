import { gzipSync } from 'node:zlib';
import type { Inbound } from '@commlib/core';
import { kafka } from '@commlib/transport-kafka';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type KafkaBroker, startKafka, until } from '../brokers/index.js';
import { bytes, connected, durable, lossy, rejection, surely, text, unique } from './links.js';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    beforeAll(async () => {
      broker = await startKafka({ properties: { 'auto.create.topics.enable': false } });
    });
    afterAll(() => broker?.stop());

    const plain = () => new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING });

    test('what subscribing and publishing make is what the options say', async () => {
      await using link = await connected(broker.url, {
        topics: { partitions: 3, config: { 'retention.ms': '123000' } },
      });
      const topic = unique();
      await link.transport.publish(topic, bytes('x'), surely);
      const admin = plain().admin();
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const described = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }],
      });
      await admin.disconnect();
      expect(topics[0]?.partitions.length).toBe(3);
      expect(described.resources[0]?.configEntries[0]?.configValue).toBe('123000');
    });

    test('without topics.create a missing topic is a typed error, for both deliveries and for subscribing', async () => {
      await using link = await connected(broker.url, { topics: { create: false } });
      const { transport } = link;
      const missing = { code: 'TOPIC_NOT_FOUND' };
      expect(await rejection(transport.publish(unique(), bytes('x')))).toMatchObject(missing);
      expect(await rejection(transport.publish(unique(), bytes('x'), surely))).toMatchObject(missing);
      expect(await rejection(transport.subscribe(unique(), lossy, () => {}))).toMatchObject(missing);
      expect(await rejection(transport.subscribe(unique(), durable('g'), () => {}))).toMatchObject(missing);
      // Calls work all the same: the reply topic is the client's own.
      const inbox = await transport.openInbox({}, () => {});
      await inbox.close();
    });

    test('a name that differs from an existing one only in . and _ is a typed error', async () => {
      await using link = await connected(broker.url);
      const word = unique();
      await link.transport.publish(`${word}.b`, bytes('x'), surely);
      expect(await rejection(link.transport.publish(`${word}_b`, bytes('x'), surely))).toMatchObject({
        code: 'TOPIC_COLLISION',
        context: { topic: `${word}_b` },
      });
    });

    test('the key decides the partition as with Java and keeps its order, headers travel', async () => {
      await using link = await connected(broker.url, { topics: { partitions: 3 } });
      const topic = unique();
      const got: Inbound[] = [];
      await link.transport.subscribe(topic, lossy, (message) => got.push(message));
      await Promise.all(
        Array.from({ length: 300 }, (_, i) =>
          link.transport.publish(topic, bytes(String(i)), {
            delivery: 'at-least-once',
            key: `k${i % 7}`,
            headers: { n: String(i) },
          }),
        ),
      );
      await until(() => got.length === 300, { what: 'all messages' });
      const hash = kafkajs.Partitioners.DefaultPartitioner();
      const partitionMetadata = [0, 1, 2].map((partitionId) => ({
        partitionId,
        leader: 1,
        partitionErrorCode: 0,
        replicas: [],
        isr: [],
      }));
      for (const { key = null, position } of got) {
        const expected = hash({ topic, partitionMetadata, message: { key, value: null } });
        expect(position?.split(':')[0]).toBe(String(expected));
      }
      for (let k = 0; k < 7; k++) {
        const own = got.filter(({ key }) => key === `k${k}`);
        expect(own.map(text)).toEqual(Array.from({ length: own.length }, (_, i) => String(i * 7 + k)));
        expect(own.map(({ headers }) => headers?.n)).toEqual(own.map(text));
      }
    });

    test('a flood goes in few requests, a lone message at once', async () => {
      await using link = await connected(broker.url, { lingerMs: 5 });
      const topic = unique();
      const batches = new Set<string>();
      await link.transport.publish(topic, bytes('first'), surely);
      await Promise.all(
        Array.from({ length: 1000 }, (_, i) => link.transport.publish(topic, bytes(String(i)), surely)),
      );
      const consumer = plain().consumer({ groupId: unique(), maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      let records = 0;
      await consumer.run({
        eachMessage: async ({ message }) => {
          records++;
          const context: unknown = Reflect.get(message, 'batchContext');
          if (typeof context === 'object' && context !== null)
            batches.add(String(Reflect.get(context, 'firstOffset')));
        },
      });
      await until(() => records === 1001, { what: 'all records', timeoutMs: 20_000 });
      await consumer.disconnect();
      expect(batches.size).toBeLessThan(20);
    });

    test('a message the broker finds too large is refused, and those sent with it arrive', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const got: number[] = [];
      await link.transport.subscribe(topic, lossy, (message) => got.push(message.payload.length));
      const sent = await Promise.allSettled(
        [10, 2_000_000, 20].map((size) => link.transport.publish(topic, new Uint8Array(size), surely)),
      );
      expect(sent.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(sent[1]).toMatchObject({ reason: { code: 'REFUSED', context: { cause: 'MESSAGE_TOO_LARGE' } } });
      await until(() => got.length === 2, { what: 'the others' });
      await link.transport.publish(topic, new Uint8Array(30), surely);
      await until(() => got.length === 3, { what: 'what comes after' });
      expect(got).toEqual([10, 20, 30]);
    });

    test('gzip is built in', async () => {
      await using link = await connected(broker.url, { compression: 'gzip' });
      const topic = unique();
      const got: string[] = [];
      await link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
      await link.transport.publish(topic, bytes('x'.repeat(10_000)), surely);
      await until(() => got.length === 1, { what: 'the message' });
      expect(got[0]?.length).toBe(10_000);
    });

    test('a codec that nobody registered: those messages are reported, and what comes after them is read', async () => {
      expect(() => kafka(broker.url, { compression: 'zstd' })).toThrow(/codec/);
      // The broker itself packs what it is sent.
      await using link = await connected(broker.url, { topics: { config: { 'compression.type': 'lz4' } } });
      const topic = unique();
      const seen = { lossy: [] as string[], durable: [] as string[] };
      await link.transport.subscribe(topic, lossy, (message) => seen.lossy.push(text(message)));
      await link.transport.subscribe(topic, durable(unique()), (message) => {
        seen.durable.push(text(message));
        message.settle?.('ack');
      });
      for (const one of ['packed', 'packed too']) await link.transport.publish(topic, bytes(one), surely);
      const drops = () => link.events.flatMap((event) => (event.type === 'dropped' ? [event] : []));
      await until(() => drops().length === 4, { what: 'a report of each batch from each reader' });
      for (const { address, error } of drops()) {
        expect(address).toBe(topic);
        expect(error).toMatchObject({ code: 'MALFORMED', message: expect.stringMatching(/lz4/) });
      }
      const admin = plain().admin();
      await admin.connect();
      const configEntries = [{ name: 'compression.type', value: 'producer' }];
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
      await admin.disconnect();
      // The change takes a moment to reach the log; until then messages are packed, and reported.
      await until(
        async () => {
          await link.transport.publish(topic, bytes('after'), surely);
          return seen.lossy.length > 0 && seen.durable.length > 0;
        },
        { what: 'readable ones' },
      );
      expect([seen.lossy[0], seen.durable[0]]).toEqual(['after', 'after']);
      expect(link.states()).toEqual(['connecting', 'ready']);
    });

    test('a codec of the options is used', async () => {
      // Kafka's own table of codecs is one per process: this one is gzip under another name, so no broker would unpack it.
      const codec = () => ({
        compress: async (encoder: { buffer: Buffer }) => gzipSync(encoder.buffer),
        decompress: async (packed: Buffer) => packed,
      });
      const transport = kafka(broker.url, { compression: 'snappy', codecs: { snappy: codec } });
      expect(Reflect.get(CompressionCodecs, CompressionTypes.Snappy)).toBe(codec);
      await transport.close({ deadlineMs: 100 });
    });
  },
  { own: true },
);
