import { randomUUID } from 'node:crypto';
import { anything, Node, rpc } from '@commlib/core';
import { kafka } from '@commlib/transport-kafka';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type KafkaBroker, startKafka, until } from '../brokers/index.js';
import { bytes, connected, lossy, rejection, surely, text, unique } from './links.js';

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    beforeAll(async () => {
      broker = await startKafka({ own: true });
    });
    afterAll(() => broker?.stop());

    const topics = async () => {
      const admin = new kafkajs.Kafka({
        brokers: [...broker.brokers],
        logLevel: kafkajs.logLevel.NOTHING,
      }).admin();
      await admin.connect();
      return admin.listTopics().finally(() => admin.disconnect());
    };

    test('500 calls at once, each its own answer; the reply topic goes with the client', async () => {
      await using server = await new Node({ transport: kafka(broker.url) }).start();
      await using caller = await new Node({ transport: kafka(broker.url) }).start();
      const contract = rpc(unique(), { request: anything, response: anything });
      await server.serve(contract, (data) => data);
      const client = caller.client(contract);
      const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => client.call(i)));
      expect(answers).toEqual(Array.from({ length: 500 }, (_, i) => i));
      const replies = (await topics()).filter((name) => name.startsWith('rpc-reply-'));
      expect(replies.length).toBe(1);
      expect(replies[0]).toMatch(/^rpc-reply-[0-9a-f]{32}$/);
      await caller.close();
      await server.close();
      await until(async () => !(await topics()).some((name) => name.startsWith('rpc-reply-')), {
        what: 'the reply topic to be deleted',
      });
    });

    test('a request as commlib-py 0.13.2 writes it is answered as it expects', async () => {
      await using server = await new Node({ transport: kafka(broker.url) }).start();
      const name = `${unique()}.add`;
      await server.serve(rpc(name, { request: anything, response: anything }), (data) => data);
      await using peer = await connected(broker.url);
      const replyTo = `rpc-reply-${randomUUID().replaceAll('-', '')}`;
      const replies: string[] = [];
      await peer.transport.subscribe(replyTo, lossy, (message) => replies.push(text(message)));
      const correlation = randomUUID();
      const header = {
        reply_to: replyTo,
        correlation_id: correlation,
        timestamp: 1795396506041678152n,
        content_type: 'json',
        encoding: 'utf8',
        agent: 'commlib',
      };
      const written = JSON.stringify({ header: { ...header, timestamp: 0 }, data: { seq: 0 } }).replace(
        '"timestamp":0',
        `"timestamp":${header.timestamp}`,
      );
      // An empty key, as librdkafka is given it.
      await peer.transport.publish(name, bytes(written), { ...surely, key: '' });
      await until(() => replies.length === 1, { what: 'the answer' });
      expect(JSON.parse(replies[0] ?? '')).toMatchObject({
        header: { reply_to: '', correlation_id: correlation },
        data: { seq: 0 },
      });
    });

    test('an answer to a client that is gone makes no topic', async () => {
      await using link = await connected(broker.url);
      const request = { address: unique(), payload: new Uint8Array(), retained: false };
      const replyTo = `rpc-reply-${unique()}`;
      expect(await rejection(link.transport.respond(request, { replyTo }, bytes('late')))).toMatchObject({
        code: 'REFUSED',
      });
      expect(await topics()).not.toContain(replyTo);
      expect(
        await rejection(link.transport.respond(request, { replyTo: '__consumer_offsets' }, bytes('evil'))),
      ).toMatchObject({ code: 'INVALID_NAME' });
    });

    test('competing services share by partition, and a request waits while all are busy', async () => {
      const contract = rpc(unique(), { request: anything, response: anything });
      const options = { topics: { partitions: 2 } };
      const node = () => new Node({ transport: kafka(broker.url, options) }).start();
      await using first = await node();
      await using second = await node();
      const served = [0, 0];
      await Promise.all(
        [first, second].map((server, i) =>
          server.serve(
            contract,
            (data) => {
              served[i] = (served[i] ?? 0) + 1;
              return data;
            },
            { mode: 'compete', concurrency: 2 },
          ),
        ),
      );
      await using caller = await node();
      const client = caller.client(contract);
      // Both hold a partition once the second has joined; each gets requests then.
      for (let round = 0; served.some((n) => n === 0); round++) {
        expect(round).toBeLessThan(50);
        await Promise.all(Array.from({ length: 4 }, (_, i) => client.call(i)));
      }
      const before = (served[0] ?? 0) + (served[1] ?? 0);
      expect(await Promise.all(Array.from({ length: 100 }, (_, i) => client.call(i)))).toHaveLength(100);
      expect((served[0] ?? 0) + (served[1] ?? 0) - before).toBe(100);
    }, 60_000);
  },
  { own: true },
);
