import type { Inbound, SubscribeOptions } from '@commlib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeOn,
  type MqttBroker,
  sharedRabbitmq,
  startEmbedded,
  startMosquitto,
  until,
} from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, rejection, settles, text, unique } from './links.js';

const durable = (group: string, maxInFlight = 100): SubscribeOptions => ({
  delivery: 'at-least-once',
  group,
  maxInFlight,
});
const surely = { delivery: 'at-least-once' } as const;

function keepsForUs(url: () => string, version: 4 | 5 | 'auto', marksRepeats = true): void {
  test('what is sent while the group is away arrives when it returns; what was acknowledged does not', async () => {
    await using from = await connected(url(), { version });
    const topic = unique();
    const group = unique();
    const first: string[] = [];
    const link = await connected(url(), { version });
    await link.transport.subscribe(topic, durable(group), (message) => {
      first.push(text(message));
      message.settle?.('ack');
    });
    await from.transport.publish(topic, bytes('1'), surely);
    await until(() => first.length === 1, { what: 'the first' });
    await link.transport.close({ deadlineMs: 2000 });
    for (const one of ['2', '3']) await from.transport.publish(topic, bytes(one), surely);
    const second: string[] = [];
    await using again = await connected(url(), { version });
    const intake = await again.transport.subscribe(topic, durable(group), (message) => {
      second.push(text(message));
      message.settle?.('ack');
    });
    await until(() => second.length >= 2, { what: 'what was kept' });
    expect(second).toEqual(['2', '3']);
    await intake.close({ forget: true });
  });

  test('a message whose handler did not finish is delivered again after a loss', async () => {
    await using from = await connected(url(), { version });
    const topic = unique();
    const group = unique();
    const seen: [string, boolean | undefined][] = [];
    const crash = await connected(url(), { version });
    const settles: NonNullable<Inbound['settle']>[] = [];
    await crash.transport.subscribe(topic, durable(group), (message) => {
      if (message.settle) settles.push(message.settle);
    });
    for (const one of ['a', 'b', 'c']) await from.transport.publish(topic, bytes(one), surely);
    await until(() => settles.length === 3, { what: 'all three' });
    // Out of order, as concurrent handlers finish: b is done, but a is not.
    settles[1]?.('ack');
    await crash.transport.close({ deadlineMs: 500 });
    await using link = await connected(url(), { version });
    const intake = await link.transport.subscribe(topic, durable(group), (message) => {
      seen.push([text(message), message.redelivered]);
      message.settle?.('ack');
    });
    await until(() => seen.some(([one]) => one === 'a') && seen.some(([one]) => one === 'c'), {
      what: 'a and c',
    });
    expect(seen.find(([one]) => one === 'a')).toEqual(['a', marksRepeats]);
    await intake.close({ forget: true });
  });
}

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({ own: true, config: ['max_queued_messages 0'] });
    });
    afterAll(() => broker?.stop());

    describe.for([5, 4] as const)('MQTT %i', (version) => {
      keepsForUs(() => broker.url, version);

      test('no more than maxInFlight are with the handler; everything comes, and calls go on meanwhile', async () => {
        await using link = await connected(broker.url, { version });
        await using from = await connected(broker.url, { version });
        const topic = unique();
        const waiting: NonNullable<Inbound['settle']>[] = [];
        let most = 0;
        let open = 0;
        const got = new Set<string>();
        const intake = await link.transport.subscribe(topic, durable(unique(), 5), (message) => {
          got.add(text(message));
          most = Math.max(most, ++open);
          if (message.settle) waiting.push(message.settle);
        });
        const total = 400;
        await Promise.all(
          Array.from({ length: total }, (_, i) => from.transport.publish(topic, bytes(String(i)), surely)),
        );
        await until(() => waiting.length === 5, { what: 'five messages' });
        // The other connection is not held up by handlers that take their time.
        const answers: string[] = [];
        const inbox = await link.transport.openInbox({}, (reply) => answers.push(text(reply)));
        await from.transport.publish(inbox.claim().replyTo, bytes('yes'), surely);
        await until(() => answers.length === 1, { what: 'an answer' });
        while (got.size < total || waiting.length > 0) {
          await until(() => waiting.length > 0, { what: `a message after ${got.size}` });
          open--;
          waiting.shift()?.('ack');
        }
        expect(most).toBe(5);
        await intake.close({ forget: true });
      });

      test('refused: again, and again after a pause; rejected: never again', async () => {
        await using link = await connected(broker.url, { version });
        const topic = unique();
        const group = unique();
        const seen: string[] = [];
        const intake = await link.transport.subscribe(topic, durable(group), (message) => {
          seen.push(`${text(message)} ${message.redelivered}`);
          const count = seen.filter((one) => one.startsWith(text(message))).length;
          if (text(message) === 'poison') message.settle?.('reject');
          else message.settle?.(count === 1 ? 'nack' : count === 2 ? { retryInMs: 50 } : 'ack');
        });
        await link.transport.publish(topic, bytes('poison'), surely);
        await link.transport.publish(topic, bytes('twice'), surely);
        await until(() => seen.length === 4, { what: 'four deliveries' });
        expect(seen).toEqual(['poison false', 'twice false', 'twice true', 'twice true']);
        await intake.close();
        await using later = await connected(broker.url, { version });
        const more: string[] = [];
        const rest = await later.transport.subscribe(topic, durable(group), (message) => {
          more.push(text(message));
          message.settle?.('ack');
        });
        await link.transport.publish(topic, bytes('next'), surely);
        await until(() => more.length > 0, { what: 'the next' });
        expect(more).toEqual(['next']);
        await rest.close({ forget: true });
      });
    });

    test('a loss in the middle: every message is handled', async () => {
      await using proxy = await startProxy(broker.port);
      await using link = await connected(through(proxy, broker.url));
      await using from = await connected(broker.url);
      const topic = unique();
      const handled = new Set<string>();
      const intake = await link.transport.subscribe(topic, durable(unique(), 10), (message) => {
        setTimeout(() => {
          handled.add(text(message));
          message.settle?.('ack');
        }, 1);
      });
      for (let i = 0; i < 600; i++) {
        await from.transport.publish(topic, bytes(String(i)), surely);
        if (i % 200 === 100) proxy.cut();
      }
      await until(() => handled.size === 600, { what: 'all 600' });
      // The loss of that connection is not hidden.
      expect(link.events.some((event) => event.type === 'dropped' && event.address === topic)).toBe(true);
      await intake.close({ forget: true });
    });

    test('members of one group share, here and in another program with a client id of its own', async () => {
      const group = unique();
      const topic = unique();
      await using a = await connected(broker.url, { clientId: unique() });
      await using b = await connected(broker.url, { clientId: unique() });
      const counts = [0, 0, 0];
      const count = (i: number) => (message: Inbound) => {
        counts[i] = (counts[i] ?? 0) + 1;
        message.settle?.('ack');
      };
      const intakes = [
        await a.transport.subscribe(topic, durable(group), count(0)),
        await a.transport.subscribe(topic, durable(group), count(1)),
        await b.transport.subscribe(topic, durable(group), count(2)),
      ];
      for (let i = 0; i < 100; i++) await a.transport.publish(topic, bytes('x'), surely);
      const sum = () => counts.reduce((x, y) => x + y, 0);
      await until(() => sum() >= 100, { what: 'all messages' });
      expect(sum()).toBe(100);
      expect(Math.min(...counts)).toBeGreaterThan(10);
      for (const intake of intakes) await intake.close({ forget: true });
    });

    test('a group that is not shared gets what was sent between the restart of Mosquitto and its own return', async () => {
      await using own = await startMosquitto({
        persistence: 'as shipped',
        config: ['max_queued_messages 0'],
      });
      await using proxy = await startProxy(own.port);
      const topic = unique();
      const got: string[] = [];
      await using link = await connected(through(proxy, own.url));
      const options = { ...durable(unique()), native: { mqtt: { shared: false } } };
      await link.transport.subscribe(topic, options, (message) => {
        got.push(text(message));
        message.settle?.('ack');
      });
      await proxy.refuse();
      await own.halt('SIGTERM');
      await own.restart();
      await using direct = await connected(own.url);
      await direct.transport.publish(topic, bytes('meanwhile'), surely);
      await proxy.accept();
      await until(() => got.length > 0, { what: 'the message' });
      expect(got).toEqual(['meanwhile']);
    }, 90_000);

    test('closing waits for the handlers, and then acknowledges what they finished', async () => {
      const topic = unique();
      const group = unique();
      await using link = await connected(broker.url);
      let settle: Inbound['settle'];
      const intake = await link.transport.subscribe(topic, durable(group), (message) => {
        settle = message.settle;
      });
      await link.transport.publish(topic, bytes('slow'), surely);
      await until(() => settle !== undefined, { what: 'the message' });
      const closing = intake.close();
      settle?.('ack');
      await closing;
      const more: string[] = [];
      const again = await link.transport.subscribe(topic, durable(group), (message) => {
        more.push(text(message));
        message.settle?.('ack');
      });
      await link.transport.publish(topic, bytes('next'), surely);
      await until(() => more.length > 0, { what: 'the next' });
      expect(more).toEqual(['next']);
      await again.close({ forget: true });
      // Forgotten: what is sent now is nobody's.
      await link.transport.publish(topic, bytes('lost'), surely);
      const third = await link.transport.subscribe(topic, durable(group), (message) => {
        more.push(text(message));
        message.settle?.('ack');
      });
      await link.transport.publish(topic, bytes('new'), surely);
      await until(() => more.length > 1, { what: 'a new one' });
      expect(more).toEqual(['next', 'new']);
      await third.close({ forget: true });
    });

    test('one of several members leaves: it too waits for its handler', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const group = unique();
      const held: Inbound[] = [];
      const hold = (message: Inbound) => held.push(message);
      const a = await link.transport.subscribe(topic, durable(group), hold);
      const b = await link.transport.subscribe(topic, durable(group), hold);
      for (const one of ['x', 'y']) await link.transport.publish(topic, bytes(one), surely);
      await until(() => held.length === 2, { what: 'one for each' });
      const closing = a.close();
      expect(await settles(closing, 100)).toBe(false);
      for (const message of held) message.settle?.('ack');
      await closing;
      await b.close({ forget: true });
    });

    test('a handler that never finishes keeps neither the transport nor its connection open', async () => {
      await using proxy = await startProxy(broker.port);
      const link = await connected(through(proxy, broker.url));
      const topic = unique();
      let got = false;
      const intake = await link.transport.subscribe(topic, durable(unique()), () => {
        got = true;
      });
      await link.transport.publish(topic, bytes('x'), surely);
      await until(() => got, { what: 'the message' });
      const closing = intake.close();
      await link.transport.close({ deadlineMs: 300 });
      await closing;
      await until(() => proxy.open === 0, { what: 'every connection closed' });
    });

    test('left and joined again at once: one session, nothing lost', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const group = unique();
      const got = new Set<string>();
      const handle = (message: Inbound) => {
        got.add(text(message));
        message.settle?.('ack');
      };
      let intake = await link.transport.subscribe(topic, durable(group), handle);
      for (let i = 0; i < 20; i++) {
        const closing = intake.close();
        intake = await link.transport.subscribe(topic, durable(group), handle);
        await closing;
        await link.transport.publish(topic, bytes(String(i)), surely);
      }
      await until(() => got.size === 20, { what: 'all messages' });
      expect(link.events.filter((event) => event.type === 'dropped')).toEqual([]);
      await intake.close({ forget: true });
    });

    test('a group is required, and quality of service 1', async () => {
      await using link = await connected(broker.url);
      const without = { delivery: 'at-least-once', maxInFlight: 1 } as const;
      expect(await rejection(link.transport.subscribe('a', without, () => {}))).toMatchObject({
        code: 'UNSUPPORTED',
      });
      const exactly = { ...durable('g'), native: { mqtt: { qos: 2 } } } as const;
      expect(await rejection(link.transport.subscribe('a', exactly, () => {}))).toMatchObject({
        code: 'UNSUPPORTED',
      });
    });
  },
  { own: true },
);

describe('the embedded broker', () => {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await startEmbedded();
  });
  afterAll(() => broker?.stop());
  // aedes 1.x does not set the DUP flag.
  keepsForUs(() => broker.url, 'auto', false);
});

describeOn('rabbitmq', () => {
  let url = '';
  beforeAll(async () => {
    url = (await sharedRabbitmq()).mqttUrl;
  }, 120_000);
  keepsForUs(() => url, 'auto');
});
