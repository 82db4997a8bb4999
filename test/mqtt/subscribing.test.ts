import { createServer } from 'node:net';
import type { Inbound } from '@commlib/core';
import { Aedes } from 'aedes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeOn,
  freePort,
  type MqttBroker,
  sharedRabbitmq,
  startEmbedded,
  startMosquitto,
  until,
} from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, lossy, rejection, text, unique } from './links.js';

/** Several filters that match one message: each handler gets it exactly once. */
function overlaps(url: () => string, version: 4 | 5 | 'auto', mixedQos = true): void {
  test('overlapping subscriptions: each handler exactly once per message', async () => {
    await using link = await connected(url(), { version });
    const base = unique();
    const filters = [`${base}/+`, `${base}/#`, `${base}/b`, `${base}/b`, `+/b`];
    const counts = filters.map(() => 0);
    for (const [i, filter] of filters.entries()) {
      const native = { mqtt: { qos: mixedQos && i % 2 ? 1 : 0 } } as const;
      await link.transport.subscribe(filter, { ...lossy, native }, (message) => {
        if (message.address === `${base}/b`) counts[i] = (counts[i] ?? 0) + 1;
      });
    }
    const last = unique();
    let done = false;
    await link.transport.subscribe(last, { ...lossy, native: { mqtt: { qos: 1 } } }, () => {
      done = true;
    });
    const total = 50;
    for (let i = 0; i < total; i++)
      await link.transport.publish(`${base}/b`, bytes('x'), { delivery: 'at-least-once' });
    await link.transport.publish(last, bytes('x'), { delivery: 'at-least-once' });
    await until(() => done && counts.every((count) => count >= total), { what: 'all deliveries' });
    expect(counts).toEqual(filters.map(() => total));
  });
}

/** Subscribers of one filter come and go while others stay. */
function comeAndGo(url: () => string, version: 4 | 5 | 'auto'): void {
  test('subscribing and unsubscribing one filter at once: who is subscribed at the end gets everything', async () => {
    await using link = await connected(url(), { version });
    await using other = await connected(url(), { version });
    const topic = unique();
    for (let round = 0; round < 30; round++) {
      const got: string[] = [];
      const leaving = Array.from({ length: 3 }, () => link.transport.subscribe(topic, lossy, () => {}));
      const intakes = await Promise.all(leaving);
      const closing = intakes.map((intake) => intake.close());
      const staying = await link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
      // It was subscribed once `subscribe` resolved, whatever becomes of the ones that leave.
      await other.transport.publish(topic, bytes(String(round)), { delivery: 'at-least-once' });
      await until(() => got.length === 1, { what: `the message of round ${round}` });
      await Promise.all(closing);
      await staying.close();
    }
  });
}

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({ own: true });
    });
    afterAll(() => broker?.stop());

    describe.for([5, 4] as const)('MQTT %i', (version) => {
      overlaps(() => broker.url, version);
      comeAndGo(() => broker.url, version);

      test('nothing published after subscribe() resolved is missed', async () => {
        await using proxy = await startProxy(broker.port);
        proxy.latency(5);
        await using slow = await connected(through(proxy, broker.url), { version });
        await using other = await connected(broker.url, { version });
        for (let i = 0; i < 30; i++) {
          const topic = unique();
          let got = false;
          await slow.transport.subscribe(topic, lossy, () => {
            got = true;
          });
          await other.transport.publish(topic, bytes('x'));
          await until(() => got, { what: `message ${i}` });
        }
      });

      test('after a loss: ready only when everything is subscribed again', async () => {
        await using proxy = await startProxy(broker.port);
        proxy.latency(5);
        await using other = await connected(broker.url, { version });
        const topics = Array.from({ length: 250 }, () => unique());
        const got = new Set<string>();
        const probe = (message: Inbound) => got.add(message.address);
        await using link = await connected(through(proxy, broker.url), { version });
        await Promise.all(topics.map((topic) => link.transport.subscribe(topic, lossy, probe)));
        proxy.cut();
        await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
        await until(() => link.transport.status.state === 'ready', { what: 'ready again', everyMs: 1 });
        for (const topic of topics) await other.transport.publish(topic, bytes('x'));
        await until(() => got.size === topics.length, { what: 'all messages' });
      });

      test('subscribing while offline: takes effect with the reconnect', async () => {
        await using proxy = await startProxy(broker.port);
        await using link = await connected(through(proxy, broker.url), { version });
        await proxy.refuse();
        await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
        const topic = unique();
        const got: string[] = [];
        const subscribing = link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        await proxy.accept();
        const intake = await subscribing;
        await link.transport.publish(topic, bytes('x'), { delivery: 'at-least-once' });
        await until(() => got.length === 1, { what: 'the message' });
        await intake.close();
      });
    });

    test('members of a group share, here and across connections; competing services share requests', async () => {
      await using a = await connected(broker.url);
      await using b = await connected(broker.url);
      const topic = unique();
      const counts = [0, 0, 0];
      const count = (i: number) => () => {
        counts[i] = (counts[i] ?? 0) + 1;
      };
      await a.transport.subscribe(topic, { ...lossy, group: 'g' }, count(0));
      await a.transport.subscribe(topic, { ...lossy, group: 'g' }, count(1));
      await b.transport.subscribe(topic, { ...lossy, group: 'g' }, count(2));
      for (let i = 0; i < 100; i++)
        await a.transport.publish(topic, bytes('x'), { delivery: 'at-least-once' });
      const sum = () => counts.reduce((x, y) => x + y, 0);
      await until(() => sum() >= 100, { what: '100 deliveries' });
      expect(sum()).toBe(100);
      expect(Math.min(...counts)).toBeGreaterThan(10);

      expect(a.transport.capabilities.serveModes).toEqual(['all', 'compete']);
      const served = [0, 0];
      const address = unique();
      for (const [i, link] of [a, b].entries()) {
        await link.transport.serve(address, { mode: 'compete', maxInFlight: 8 }, () => {
          served[i] = (served[i] ?? 0) + 1;
        });
      }
      const inbox = await a.transport.openInbox({}, () => {});
      await Promise.all(Array.from({ length: 40 }, () => inbox.send(address, bytes('x'), inbox.claim())));
      await until(() => (served[0] ?? 0) + (served[1] ?? 0) >= 40, { what: '40 requests' });
      expect((served[0] ?? 0) + (served[1] ?? 0)).toBe(40);
      expect(Math.min(...served)).toBeGreaterThan(5);
    });

    test('groups on 3.1.1: missing with a reason, unless proven by a delivery', async () => {
      await using plain = await connected(broker.url, { version: 4 });
      expect(plain.transport.capabilities.groups).toMatchObject({
        missing: expect.stringContaining('3.1.1'),
      });
      expect(
        await rejection(plain.transport.subscribe('a', { ...lossy, group: 'g' }, () => {})),
      ).toMatchObject({
        code: 'UNSUPPORTED',
      });
      await using probed = await connected(broker.url, { version: 4, probeSharedSubscriptions: true });
      expect(probed.transport.capabilities.groups).toBe('native');
      await using embedded = await startEmbedded();
      await using aedes = await connected(embedded.url, { probeSharedSubscriptions: true });
      expect(aedes.transport.capabilities.groups).toMatchObject({ missing: expect.any(String) });
    });

    test('filters that cannot be are refused before they reach the broker', async () => {
      await using link = await connected(broker.url);
      for (const bad of ['', 'a/#/b', 'a+', '$share/g/a', 'a\0', 'x'.repeat(70_000)]) {
        expect(await rejection(link.transport.subscribe(bad, lossy, () => {}))).toMatchObject({
          code: 'INVALID_NAME',
        });
      }
      for (const group of ['a/b', '', '+', '#']) {
        expect(await rejection(link.transport.subscribe('a', { ...lossy, group }, () => {}))).toMatchObject({
          code: 'INVALID_NAME',
        });
      }
      expect(link.states()).toEqual(['connecting', 'ready']);
    });

    test('5 MB arrive; more than maxPacketBytes does not, and the connection lives on', async () => {
      await using five = await connected(broker.url, { maxPacketBytes: 6_000_000 });
      await using three = await connected(broker.url, { version: 4, maxPacketBytes: 6_000_000 });
      const topic = unique();
      const sizes: Record<string, number[]> = { five: [], three: [] };
      await five.transport.subscribe(topic, lossy, (message) => sizes.five?.push(message.payload.length));
      await three.transport.subscribe(topic, lossy, (message) => sizes.three?.push(message.payload.length));
      await using sender = await connected(broker.url);
      for (const size of [5_000_000, 7_000_000, 3]) {
        await sender.transport.publish(topic, new Uint8Array(size), { delivery: 'at-least-once' });
      }
      await until(() => sizes.five?.at(-1) === 3 && sizes.three?.at(-1) === 3, {
        what: 'the last one',
      });
      expect(sizes).toEqual({ five: [5_000_000, 3], three: [5_000_000, 3] });
      const dropped = three.events.filter((event) => event.type === 'dropped');
      expect(dropped).toMatchObject([{ address: topic, error: { code: 'TOO_LARGE' } }]);
      expect([five, three].flatMap((link) => link.states())).toEqual([
        'connecting',
        'ready',
        'connecting',
        'ready',
      ]);
    });
  },
  { own: true },
);

describe('a broker that refuses subscriptions', () => {
  test('refused: a typed error; allowed ones go on, and come back after a loss', async () => {
    const aedes = await Aedes.createBroker();
    const forbidden = new Set(['no/a', 'later/a']);
    aedes.authorizeSubscribe = (_client, subscription, done) =>
      done(null, forbidden.has(subscription.topic) ? null : subscription);
    const port = await freePort();
    const server = createServer((socket) => aedes.handle(socket));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    await using proxy = await startProxy(port);
    try {
      await using link = await connected(`mqtt://127.0.0.1:${proxy.port}`);
      const got: string[] = [];
      await link.transport.subscribe('yes/a', lossy, (message) => got.push(text(message)));
      const refused = await rejection(link.transport.subscribe('no/a', lossy, () => {}));
      expect(refused).toMatchObject({ code: 'NOT_AUTHORIZED' });
      expect(String(refused)).toContain('no/a');
      const group = { delivery: 'at-least-once', group: 'g', maxInFlight: 1 } as const;
      expect(await rejection(link.transport.subscribe('no/a', group, () => {}))).toMatchObject({
        code: 'NOT_AUTHORIZED',
      });
      // Asked for while offline, refused at the reconnect: only its own subscribe() fails.
      await proxy.refuse();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      const later = rejection(link.transport.subscribe('later/a', lossy, () => {}));
      await proxy.accept();
      expect(await later).toMatchObject({ code: 'NOT_AUTHORIZED' });
      await until(() => link.transport.status.state === 'ready', { what: 'ready again' });
      await link.transport.publish('yes/a', bytes('x'), { delivery: 'at-least-once' });
      await until(() => got.length === 1, { what: 'the message' });
      // What was allowed before is refused after a loss: not ready, and the reason is told, until it is allowed again.
      forbidden.add('yes/a');
      proxy.cut();
      const told = () =>
        link.transport.status.state === 'reconnecting' &&
        link.transport.status.error.code === 'NOT_AUTHORIZED';
      await until(told, { what: 'the reason' });
      forbidden.clear();
      await until(() => link.transport.status.state === 'ready', { what: 'ready again' });
      await link.transport.publish('yes/a', bytes('x'), { delivery: 'at-least-once' });
      await until(() => got.length === 2, { what: 'the second message' });
    } finally {
      server.close();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    }
  });
});

describe('the embedded broker', () => {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await startEmbedded();
  });
  afterAll(() => broker?.stop());
  overlaps(() => broker.url, 'auto');
  comeAndGo(() => broker.url, 'auto');
});

describeOn('rabbitmq', () => {
  let url = '';
  beforeAll(async () => {
    url = (await sharedRabbitmq()).mqttUrl;
  }, 120_000);
  overlaps(() => url, 'auto', false);
  comeAndGo(() => url, 'auto');
});
