/**
 * kafkajs by hand: messages gathered for a moment and sent together, consumers that stand at the end of their topic
 * before anything is sent, one reply topic for all calls of a client.
 */
import { type Consumer, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { until } from '../../../brokers/until.js';
import type { BenchSubject, Call, SubjectOptions } from '../../subject.js';
import { Calls, envelope, failed } from './calls.js';

/** How long a message waits for others to go with. */
const LINGER_MS = 0;
const BATCH = 1000;

export function rawKafka({ url, channel }: SubjectOptions): BenchSubject {
  const name = channel.replaceAll('/', '.');
  const kafka = new Kafka({
    clientId: name,
    brokers: [url.replace(/^kafka:\/\//, '')],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  });
  const orders = `${name}.orders`;
  const fill = `${name}.fill`;
  return {
    async stream({ delivery }, onOrder) {
      const safe = delivery === 'at-least-once';
      await makeTopic(kafka, orders);
      await consume(kafka, orders, safe, (value) => onOrder(JSON.parse(value)));
      const send = await batchingSender(kafka, safe ? -1 : 1);
      return (order, confirmed) => {
        if (safe) return send(orders, JSON.stringify(order), confirmed);
        send(orders, JSON.stringify(order), failed);
        confirmed();
      };
    },

    async rpc(_scenario, answer) {
      const inbox = `rpc-reply-${crypto.randomUUID().replaceAll('-', '')}`;
      await makeTopic(kafka, fill);
      await makeTopic(kafka, inbox);
      const reply = await batchingSender(kafka, 1);
      await consume(kafka, fill, false, (value) => {
        const { header, data } = JSON.parse(value);
        reply(header.reply_to, envelope('', answer(data), header.correlation_id), failed);
      });
      const calls = new Calls();
      await consume(kafka, inbox, false, (value) => {
        const { header, data } = JSON.parse(value);
        calls.end(header.correlation_id, data);
      });
      const request = await batchingSender(kafka, 1);
      const call: Call = (order) =>
        calls.begin((id, notSent) =>
          request(fill, envelope(inbox, order, id), (error) => {
            if (error) notSent(error);
          }),
        );
      return call;
    },
  };
}

export async function makeTopic(kafka: Kafka, topic: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  // Its own `waitForLeaders` gives up when the broker does not know the new topic at once.
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
  const known = () =>
    admin.fetchTopicOffsets(topic).then(
      () => true,
      () => false,
    );
  await until(known, { what: `the topic ${topic}` });
  await admin.disconnect();
}

/** Resolves when nothing sent afterwards is missed. `safe`: positions are committed after the messages were handled. */
async function consume(
  kafka: Kafka,
  topic: string,
  safe: boolean,
  take: (value: string) => void,
): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId: `${topic}.group`, maxWaitTimeInMs: 500, minBytes: 1 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const fetched = new Promise((resolve) => consumer.on(consumer.events.FETCH, resolve));
  await consumer.run({
    autoCommit: safe,
    autoCommitInterval: 1000,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
      for (const { value, offset } of batch.messages) {
        take(value?.toString() ?? '');
        resolveOffset(offset);
      }
      if (safe) await commitOffsetsIfNecessary();
    },
  });
  await fetched;
  return consumer;
}

type Send = (topic: string, value: string, done: (error?: unknown) => void) => void;

/** What comes within the linger leaves together; the next batch waits for the confirmation of the last one of its topic only. */
async function batchingSender(kafka: Kafka, acks: -1 | 1): Promise<Send> {
  const producer: Producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  let values: { value: string }[] = [];
  let waiting: ((error?: unknown) => void)[] = [];
  let topic = '';
  const flush = () => {
    if (values.length === 0) return;
    const messages = values;
    const done = waiting;
    values = [];
    waiting = [];
    producer.send({ topic, acks, messages }).then(
      () => {
        for (const each of done) each();
      },
      (error) => {
        for (const each of done) each(error);
      },
    );
  };
  return (to, value, done) => {
    if (to !== topic) flush();
    topic = to;
    if (values.push({ value }) === 1) setTimeout(flush, LINGER_MS);
    waiting.push(done);
    if (values.length >= BATCH) flush();
  };
}
