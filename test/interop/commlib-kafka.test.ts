import { anything, rpc, topic } from '@commlib/core';
import { kafka } from '@commlib/transport-kafka';
import { Kafka, logLevel } from 'kafkajs';
import { expect } from 'vitest';
import { until } from '../brokers/index.js';
import { sharedKafka } from '../brokers/shared.js';
import type { PythonPeer } from './python-peer.js';
import {
  commonRows,
  itCalls,
  itCallsTyped,
  itFails,
  itServes,
  itServesMany,
  itServesTyped,
  itsControl,
  itsPatterns,
  malformedRow,
  numbered,
  oneClientAtOnce,
  publishUntilHeard,
  theyCall,
  weFail,
  zippedCalls,
  zippedMessages,
} from './rows.js';
import { type Cannot, interop, type Row, type Setting } from './suite.js';

const old = ['0.11.5', '0.13.1'] as const;

function direct({ url }: Setting): Kafka {
  return new Kafka({ brokers: [new URL(url).host], logLevel: logLevel.NOTHING });
}

/** The records of a topic, as they lie there. */
async function recordsOf(setting: Setting, at: string, count: number) {
  const admin = direct(setting).admin();
  await admin.connect();
  const written = async () => {
    const partitions = await admin.fetchTopicOffsets(at).catch(() => []);
    return partitions.some(({ high }) => Number(high) >= count);
  };
  await until(written, { what: `${count} records on ${at}`, everyMs: 100 });
  await admin.disconnect();
  const consumer = direct(setting).consumer({ groupId: `${at}.look` });
  const records: { value: string; headers: string[] }[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: at, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message: { value, headers } }) =>
        void records.push({ value: String(value), headers: Object.keys(headers ?? {}) }),
    });
    await until(() => records.length >= count, { what: `${count} records`, timeoutMs: 20_000 });
  } finally {
    await consumer.disconnect();
  }
  return records;
}

const newTopic: Row = {
  text: 'it subscribes to a topic that does not exist yet',
  async body({ node, name, peer }) {
    const at = name('ts.new');
    await using listener = await peer('subscribe', at);
    const publisher = node.publisher(topic(at, anything));
    await publishUntilHeard(listener, () => publisher.publish({ seq: 1 }));
    expect(listener.all('message')[0]).toMatchObject({ data: { seq: 1 } });
  },
};

const ownGroups: Row = {
  text: 'two subscribers of it both get every message',
  async body(setting) {
    const at = setting.name('ts.two');
    const { node, peer } = setting;
    const publisher = node.publisher(topic(at, anything));
    await publisher.publish({ seq: -1 });
    const listeners = await Promise.all([peer('subscribe', at), peer('subscribe', at)]);
    const hear = (listener: PythonPeer) => publishUntilHeard(listener, () => publisher.publish({ seq: -2 }));
    await Promise.all(listeners.map(hear));
    for (let seq = 0; seq < 10; seq++) await publisher.publish({ seq });
    const got = (listener: PythonPeer) =>
      listener.all('message').filter(({ data }) => numbered.parse(data).seq >= 0).length;
    await until(() => listeners.every((listener) => got(listener) === 10), {
      what: 'ten messages each',
      timeoutMs: 40_000,
    });
    await Promise.all(listeners.map((listener) => listener.stop()));
  },
};

const emptyKey: Row = {
  text: 'its empty record keys are read as none',
  async body(setting) {
    const { node, name, peer } = setting;
    const at = name('py.key');
    const keys: unknown[] = [];
    const subscriber = await node.subscribe(topic(at, anything), (_data, { key }) => void keys.push(key));
    await using _ = await peer('publish', at);
    await until(() => keys.length > 0, { what: 'a message', timeoutMs: 20_000 });
    expect(keys).toEqual([undefined]);
    expect(await recordsOf(setting, at, 1)).toMatchObject([{ value: '{"seq":0}', headers: [] }]);
    await subscriber.close();
  },
};

/** What every RPC of the old versions comes to. */
const noService: Cannot['show'] = async (setting) => {
  const service = await setting.begin('rpc-service', setting.name('py.none'));
  expect(await service.next('error', undefined, 30_000)).toMatchObject({
    error: 'NotImplementedError: RPCService for Kafka transport not supported',
  });
  await service.stop();
};
const noClient: Cannot['show'] = async (setting) => {
  const caller = await setting.begin('rpc-client', setting.name('py.none'));
  expect(await caller.next('reply', undefined, 30_000)).toMatchObject({
    outcome: 'error',
    error: expect.stringContaining("'KafkaTransport' object has no attribute 'subscribe'"),
  });
  await caller.stop();
};
const services = 'Kafka RPC services raise `NotImplementedError` before 0.13.2';
const clients = 'calls of its Kafka RPC client raise `AttributeError` before 0.13.2';
const unzipped =
  'its Kafka transport neither compresses nor decompresses, whatever is asked of it; what we compress does not reach its handlers';
const malformedCalls = malformedRow(sendRaw);

async function sendRaw(setting: Setting, at: string, payloads: readonly Uint8Array[]): Promise<void> {
  const producer = direct(setting).producer();
  await producer.connect();
  const messages = payloads.map((payload) => ({ key: '', value: Buffer.from(payload) }));
  await producer.send({ topic: at, messages });
  await producer.disconnect();
}

await interop({
  transport: 'kafka',
  title: 'Kafka',
  broker: 'kafka',
  start: sharedKafka,
  connect: (url) => kafka(url),
  rows: [...commonRows, newTopic, ownGroups, emptyKey, malformedCalls],
  cannot: [
    ...[itServes, itServesMany, itServesTyped, itFails].map((row) => ({
      row,
      versions: old,
      why: services,
      show: noService,
    })),
    ...[itCalls, itCallsTyped, theyCall, oneClientAtOnce, weFail, malformedCalls].map((row) => ({
      row,
      versions: old,
      why: clients,
      show: noClient,
    })),
    {
      row: zippedCalls,
      versions: ['0.13.2'],
      why: unzipped,
      async show({ zipped, name, peer }) {
        const at = name('py.zipped');
        await using service = await peer('rpc-service', at, '--compress');
        const client = zipped.client(rpc(at, { request: anything, response: anything }));
        await expect(client.call({ seq: 1 }, { timeoutMs: 3_000 })).rejects.toMatchObject({
          code: 'TIMEOUT',
        });
        expect(service.all('request')).toEqual([]);
      },
    },
    {
      row: zippedCalls,
      versions: old,
      why: services,
      show: noService,
    },
    {
      row: itsControl,
      versions: old,
      why: services,
      show: noService,
    },
    {
      row: zippedMessages,
      versions: ['0.11.5', '0.13.1', '0.13.2'],
      why: unzipped,
      async show(setting) {
        const { node, zipped, name, peer } = setting;
        const [theirs, ours] = [name('py.zip'), name('ts.zip')];
        await using _ = await peer('publish', theirs, '--compress');
        expect(await recordsOf(setting, theirs, 1)).toMatchObject([{ value: '{"seq":0}' }]);

        const plain = node.publisher(topic(ours, anything));
        await plain.publish({ seq: -1 });
        await using listener = await peer('subscribe', ours, '--compress');
        await publishUntilHeard(listener, async () => {
          await zipped.publisher(topic(ours, anything)).publish({ seq: 1 });
          await plain.publish({ seq: 2 });
        });
        expect(listener.all('message')[0]?.data).toEqual({ seq: 2 });
      },
    },
    {
      row: itsPatterns,
      versions: ['0.11.5', '0.13.1', '0.13.2'],
      why: 'Kafka knows no `*`, and commlib-py does not translate it: a pattern subscriber asks for a topic with that very name',
      async show({ node, name, begin, peer }) {
        const at = name('ts.pattern.deep');
        const publisher = node.publisher(topic(at, anything));
        await publisher.publish({ seq: -1 });
        await using pattern = await begin('psubscribe', name('ts.pattern.*'));
        await using exact = await peer('subscribe', at);
        await pattern.next('ready', undefined, 30_000);
        await publishUntilHeard(exact, () => publisher.publish({ seq: 1 }));
        expect(pattern.all('message')).toEqual([]);
      },
    },
    {
      row: newTopic,
      versions: old,
      why: 'a subscriber before 0.13.2 ends when its topic does not exist (`UNKNOWN_TOPIC_OR_PART`): it must be made first, and our publishers and subscribers make it',
      async show({ node, name, peer }) {
        const at = name('ts.new');
        await using listener = await peer('subscribe', at, '--count', '1', '--timeout', '20');
        const asked = () => listener.log.includes('UNKNOWN_TOPIC_OR_PART');
        await until(asked, { what: 'its question for the topic', timeoutMs: 30_000 });
        await node.publisher(topic(at, anything)).publish({ seq: 1 });
        expect(await listener.ended).toBe('code 1');
        expect(listener.all('message')).toEqual([]);
      },
    },
    {
      row: ownGroups,
      versions: old,
      why: 'all subscribers before 0.13.2 are in the consumer group `main`, and share the messages, unless each is given a `group` of its own',
      async show({ node, name, peer }) {
        const at = name('ts.two');
        const publisher = node.publisher(topic(at, anything));
        await publisher.publish({ seq: -1 });
        const group = ['--group', name('both')];
        const listeners = await Promise.all([
          peer('subscribe', at, ...group),
          peer('subscribe', at, ...group),
        ]);
        const got = () => listeners.flatMap((listener) => listener.all('message'));
        // The two go through a rebalance, in which their versions miss messages: something must have come.
        const end = Date.now() + 60_000;
        for (let seq = 0; got().length < 5; seq++) {
          if (Date.now() > end) expect.fail(`${got().length} of 5 messages came in 60 s`);
          await publisher.publish({ seq });
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        const seqs = got().map(({ data }) => JSON.stringify(data));
        expect(new Set(seqs).size, 'each message came to one of them').toBe(seqs.length);
        await Promise.all(listeners.map((listener) => listener.stop()));
      },
    },
  ],
});
