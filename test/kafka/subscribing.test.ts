import type { Inbound } from '@commlib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type KafkaBroker, startKafka, until } from '../brokers/index.js';
import { bytes, connected, durable, lossy, rejection, surely, text, unique } from './links.js';

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    beforeAll(async () => {
      broker = await startKafka({ own: true });
    });
    afterAll(() => broker?.stop());

    test('the first message after subscribing is not lost, twenty times', async () => {
      await using from = await connected(broker.url);
      await using to = await connected(broker.url);
      for (let round = 0; round < 20; round++) {
        const topic = unique();
        const got: string[] = [];
        const intake = await to.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        await from.transport.publish(topic, bytes('first'), surely);
        await until(() => got.length === 1, { what: `the message of round ${round}` });
        await intake.close();
      }
    });

    test('what was sent before is not for a new subscription, of a topic that is read already either', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const first: string[] = [];
      const second: string[] = [];
      await link.transport.subscribe(topic, lossy, (message) => first.push(text(message)));
      await link.transport.publish(topic, bytes('before'), surely);
      await link.transport.subscribe(topic, lossy, (message) => second.push(text(message)));
      await link.transport.publish(topic, bytes('after'), surely);
      await until(() => first.length === 2 && second.length > 0, { what: 'both' });
      expect([first, second]).toEqual([['before', 'after'], ['after']]);
    });

    test('one subscription goes back to the beginning, and others of the topic get nothing twice', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const live: string[] = [];
      const old: string[] = [];
      await link.transport.subscribe(topic, lossy, (message) => live.push(text(message)));
      for (const one of ['1', '2', '3']) await link.transport.publish(topic, bytes(one), surely);
      await until(() => live.length === 3, { what: 'the live ones' });
      await link.transport.subscribe(topic, { ...lossy, start: 'earliest' }, (message) =>
        old.push(text(message)),
      );
      await link.transport.publish(topic, bytes('4'), surely);
      await until(() => old.length === 4 && live.length === 4, { what: 'all' });
      expect([live, old]).toEqual([
        ['1', '2', '3', '4'],
        ['1', '2', '3', '4'],
      ]);
    });

    test('a start position must be one', async () => {
      await using link = await connected(broker.url);
      const start = { position: 'yesterday' };
      expect(
        await rejection(link.transport.subscribe(unique(), { ...lossy, start }, () => {})),
      ).toMatchObject({
        code: 'UNSUPPORTED',
      });
    });

    test('a wildcard reads what is there from now on, and topics made later from their beginning', async () => {
      await using from = await connected(broker.url);
      await using to = await connected(broker.url);
      const word = unique();
      await from.transport.publish(`${word}.old.x`, bytes('before'), surely);
      const got: string[] = [];
      const note = (message: Inbound) => got.push(`${message.address.slice(word.length)} ${text(message)}`);
      await to.transport.subscribe(`${word}.+.x`, lossy, note);
      await from.transport.publish(`${word}.old.x`, bytes('now'), surely);
      await until(() => got.length === 1, { what: 'the message of the topic that was there' });
      for (const one of ['1', '2']) await from.transport.publish(`${word}.new.x`, bytes(one), surely);
      await from.transport.publish(`${word}.new.y`, bytes('other'), surely);
      await until(() => got.length === 3, { what: 'those of the topic made later', timeoutMs: 20_000 });
      expect(got).toEqual(['.old.x now', '.new.x 1', '.new.x 2']);
    });

    test('a wildcard misses nothing of a topic that another subscription of its connection was first to ask for', async () => {
      await using link = await connected(broker.url, { topicPollMs: 60_000 });
      const word = unique();
      const wild: string[] = [];
      const exact: string[] = [];
      await link.transport.subscribe(`${word}.#`, lossy, (message) => wild.push(text(message)));
      await using from = await connected(broker.url);
      await from.transport.publish(`${word}.x`, bytes('before'), surely);
      await link.transport.subscribe(`${word}.x`, lossy, (message) => exact.push(text(message)));
      await from.transport.publish(`${word}.x`, bytes('after'), surely);
      await until(() => wild.length === 2 && exact.length > 0, { what: 'both' });
      expect([wild, exact]).toEqual([['before', 'after'], ['after']]);
    });

    test('a durable group with a wildcard finds topics made later, also those made while nobody was there', async () => {
      await using from = await connected(broker.url);
      const word = unique();
      const group = unique();
      const got: string[] = [];
      const note = (message: Inbound) => {
        got.push(`${message.address.slice(word.length)} ${text(message)}`);
        message.settle?.('ack');
      };
      await from.transport.publish(`${word}.a`, bytes('before'), surely);
      {
        await using to = await connected(broker.url);
        await to.transport.subscribe(`${word}.#`, durable(group), note);
        await from.transport.publish(`${word}.b`, bytes('1'), surely);
        await until(() => got.length === 1, { what: 'the topic made later', timeoutMs: 20_000 });
      }
      await from.transport.publish(`${word}.c`, bytes('2'), surely);
      await using again = await connected(broker.url);
      await again.transport.subscribe(`${word}.#`, durable(group), note);
      await until(() => got.length === 2, { what: 'the topic made meanwhile' });
      expect(got).toEqual(['.b 1', '.c 2']);
    });

    test('a thousand filters over fifty topics share one reader', async () => {
      await using link = await connected(broker.url);
      const word = unique();
      const counts = new Map<number, number>();
      const topics = Array.from({ length: 50 }, (_, i) => `${word}.t${i}`);
      for (const topic of topics) await link.transport.publish(topic, bytes('before'), surely);
      await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          link.transport.subscribe(i % 2 ? `${word}.t${i % 50}` : `${word}.+`, lossy, () =>
            counts.set(i, (counts.get(i) ?? 0) + 1),
          ),
        ),
      );
      await Promise.all(topics.map((topic) => link.transport.publish(topic, bytes('now'), surely)));
      const total = () => [...counts.values()].reduce((sum, n) => sum + n, 0);
      await until(() => total() === 500 * 50 + 500, { what: 'every copy' });
      expect([counts.get(0), counts.get(1)]).toEqual([50, 1]);
    });

    test('a topic that is deleted and made anew is read on', async () => {
      await using link = await connected(broker.url);
      const inbox = await link.transport.openInbox({}, () => {});
      const { replyTo } = inbox.claim();
      await using other = await connected(broker.url);
      const got: string[] = [];
      await other.transport.subscribe(replyTo, lossy, (message) => got.push(text(message)));
      const busy: string[] = [];
      const topic = unique();
      await other.transport.subscribe(topic, lossy, (message) => busy.push(text(message)));
      await inbox.close(); // deletes the topic
      await link.transport.publish(topic, bytes('beside'), surely);
      await until(() => busy.length === 1, { what: 'a topic beside the deleted one' });
      await link.transport.publish(replyTo, bytes('anew'), surely);
      await until(() => got.length === 1, { what: 'the topic made anew' });
      expect(got).toEqual(['anew']);
    });
  },
  { own: true },
);
