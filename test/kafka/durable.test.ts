import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Inbound } from '@commlib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type KafkaBroker, startKafka, until } from '../brokers/index.js';
import { bytes, connected, durable, surely, text, unique } from './links.js';

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    beforeAll(async () => {
      broker = await startKafka({ own: true });
    });
    afterAll(() => broker?.stop());

    test('a group exists from its first subscription on, though nothing was read', async () => {
      await using from = await connected(broker.url);
      const topic = unique();
      const group = unique();
      {
        await using first = await connected(broker.url);
        await first.transport.subscribe(topic, durable(group), () => {});
      }
      await from.transport.publish(topic, bytes('meanwhile'), surely);
      const got: string[] = [];
      await using again = await connected(broker.url);
      await again.transport.subscribe(topic, durable(group), (message) => got.push(text(message)));
      await until(() => got.length === 1, { what: 'what came meanwhile' });
    });

    test('a poison message does not block its partition, and is counted', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const attempts: (number | undefined)[] = [];
      const others: string[] = [];
      const intake = await link.transport.subscribe(topic, durable(unique(), 5), (message) => {
        if (text(message) !== 'poison') {
          others.push(text(message));
          message.settle?.('ack');
          return;
        }
        attempts.push(message.attempt);
        message.settle?.(attempts.length < 4 ? { retryInMs: 50 } : 'reject');
      });
      await link.transport.publish(topic, bytes('poison'), surely);
      for (let i = 0; i < 20; i++) await link.transport.publish(topic, bytes(String(i)), surely);
      await until(() => others.length === 20 && attempts.length === 4, { what: 'all the others' });
      expect(attempts).toEqual([1, 2, 3, 4]);
      await intake.close();
    });

    test('only what lies before the first unsettled message is committed', async () => {
      await using from = await connected(broker.url);
      const topic = unique();
      const group = unique();
      const messages: Inbound[] = [];
      const link = await connected(broker.url);
      await link.transport.subscribe(topic, durable(group), (message) => messages.push(message));
      for (let i = 0; i < 5; i++) await from.transport.publish(topic, bytes(String(i)), surely);
      await until(() => messages.length === 5, { what: 'all five' });
      for (const i of [0, 1, 3, 4]) messages[i]?.settle?.('ack');
      await link.transport.close({ deadlineMs: 2_000 });
      const again: string[] = [];
      await using next = await connected(broker.url);
      await next.transport.subscribe(topic, durable(group), (message) => again.push(text(message)));
      await until(() => again.length === 3, { what: 'from the first unsettled on' });
      expect(again).toEqual(['2', '3', '4']);
    });

    test('a full window stops the reading, and only that of its own group', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const slow: Inbound[] = [];
      let fast = 0;
      await link.transport.subscribe(topic, durable(unique(), 3), (message) => slow.push(message));
      await link.transport.subscribe(topic, durable(unique(), 3), (message) => {
        fast++;
        message.settle?.('ack');
      });
      await Promise.all(
        Array.from({ length: 2000 }, (_, i) => link.transport.publish(topic, bytes(String(i)), surely)),
      );
      await until(() => fast === 2000, { what: 'the fast group', timeoutMs: 20_000 });
      // Either group reads for itself: this one may begin some milliseconds later.
      await until(() => slow.length >= 3, { what: 'a full window of the slow group' });
      for (let done = 0; done < 2000; done++) {
        await until(() => slow.length > done, { what: `message ${done}`, everyMs: 1 });
        expect(slow.length).toBeLessThanOrEqual(done + 3);
        slow[done]?.settle?.('ack');
      }
      expect(slow.map(text)).toEqual(Array.from({ length: 2000 }, (_, i) => String(i)));
    });

    test('a handler that takes longer than the session does not cost the membership', async () => {
      await using link = await connected(broker.url, { sessionTimeoutMs: 6_000 });
      const topic = unique();
      const got: Inbound[] = [];
      await link.transport.subscribe(topic, durable(unique(), 1), (message) => got.push(message));
      for (const one of ['slow', 'next']) await link.transport.publish(topic, bytes(one), surely);
      await until(() => got.length === 1, { what: 'the first' });
      const since = Date.now();
      await until(() => Date.now() - since > 7_500, { what: 'more than a session', timeoutMs: 9_000 });
      got[0]?.settle?.('ack');
      await until(() => got.length === 2, { what: 'the second' });
      expect(got.map((message) => [text(message), message.attempt])).toEqual([
        ['slow', 1],
        ['next', 1],
      ]);
      expect(link.states()).toEqual(['connecting', 'ready']);
    }, 20_000);

    test('members share partitions, and what a killed process had comes to the other', async () => {
      await using link = await connected(broker.url, { sessionTimeoutMs: 6_000, topics: { partitions: 2 } });
      const topic = unique();
      const group = unique();
      const got: string[] = [];
      await link.transport.subscribe(topic, durable(group), (message) => {
        got.push(text(message));
        message.settle?.('ack');
      });
      const child = fork(
        fileURLToPath(new URL('./hung-member.ts', import.meta.url)),
        [broker.url, topic, group],
        {
          execArgv: ['--import', 'tsx'],
        },
      );
      try {
        await once(child, 'message', { signal: AbortSignal.timeout(30_000) }); // it has joined
        let held = 0;
        child.on('message', () => held++);
        for (let i = 0; i < 20; i++) {
          await link.transport.publish(topic, bytes(String(i)), { ...surely, key: String(i) });
        }
        await until(() => held > 0 && held + got.length === 20, { what: 'all, on both members' });
      } finally {
        child.kill('SIGKILL');
      }
      await until(() => new Set(got).size === 20, { what: 'what the dead member had', timeoutMs: 20_000 });
      expect(got.length).toBe(20);
    }, 90_000);
  },
  { own: true },
);

describeOn(
  'kafka',
  () => {
    test('with the broker’s own pause for new groups (3 s) nothing sent after subscribing is missed', async () => {
      const broker = await startKafka({ properties: { 'group.initial.rebalance.delay.ms': 3000 } });
      try {
        await using link = await connected(broker.url);
        const topic = unique();
        const got: string[] = [];
        const joining = link.transport.subscribe(topic, durable(unique()), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        let joined = false;
        void joining.then(() => {
          joined = true;
        });
        // Without a group nobody waits for others.
        const lone: string[] = [];
        await link.transport.subscribe(topic, { delivery: 'at-most-once', maxInFlight: 10 }, (message) =>
          lone.push(text(message)),
        );
        expect(joined).toBe(false);
        await joining;
        await link.transport.publish(topic, bytes('first'), surely);
        await until(() => got.length === 1 && lone.length === 1, { what: 'the first message, twice' });
      } finally {
        await broker.stop();
      }
    }, 60_000);
  },
  { own: true },
);
