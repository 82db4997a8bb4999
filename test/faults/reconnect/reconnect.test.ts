/** What a program sees of a lost connection: on Mosquitto, killed or behind a proxy. */
import { anything, CommlibError, type Node, rpc, topic } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, type MqttBroker, startMosquitto, until } from '../../brokers/index.js';
import { startProxy, type TcpProxy, through } from '../proxy.js';
import { watched } from './nodes.js';

const counted = z.object({ n: z.number() });
const double = rpc('srv.double', { request: counted, response: counted });

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let proxy: TcpProxy;
    let url: string;
    beforeEach(async () => {
      broker = await startMosquitto({ own: true });
      proxy = await startProxy(broker.port);
      url = through(proxy, broker.url);
    });
    afterEach(async () => {
      await proxy?.close();
      await broker?.stop();
    });

    describe.each([5, 4] as const)('MQTT version %i', (version) => {
      test('ready means that all subscriptions are back: what is published then reaches every one, once', async () => {
        const names = Array.from({ length: 300 }, (_, n) => `many/${n}`);
        const got = new Map<string, number>();
        const received = (name: string) => () => void got.set(name, (got.get(name) ?? 0) + 1);
        await using direct = await watched(broker.url);
        const publishers = names.map((name) => direct.node.publisher(topic(name, anything)));
        let lost = false;
        let published: Promise<unknown> | undefined;
        await using link = await watched(
          url,
          { version },
          {
            onEvent: (event) => {
              if (!lost || event.type !== 'status' || event.status.state !== 'ready') return;
              // In the very moment of `ready`, past the proxy.
              published = Promise.all(publishers.map((publisher) => publisher.publish({})));
            },
          },
        );
        await Promise.all(names.map((name) => link.node.subscribe(topic(name, anything), received(name))));
        lost = true;
        const mark = link.events.length;
        proxy.cut();
        await link.reaches('ready', mark);
        await published;
        await until(() => got.size === names.length, { what: 'a message on each of 300 topics' });
        await flushed(direct.node, link.node);
        expect([...got.values()].every((times) => times === 1)).toBe(true);
      });

      test('overlapping subscriptions get each message once, before and after a loss', async () => {
        const got: string[] = [];
        await using direct = await watched(broker.url);
        await using link = await watched(url, { version });
        for (const filter of ['o/#', 'o/+', 'o/a', 'o/a']) {
          await link.node.subscribe(topic(filter, counted), ({ n }) => void got.push(`${filter} ${n}`));
        }
        const publisher = direct.node.publisher(topic('o/a', counted));
        const expected = (n: number) => ['o/#', 'o/+', 'o/a', 'o/a'].map((filter) => `${filter} ${n}`).sort();
        await publisher.publish({ n: 1 });
        await until(() => got.length >= 4, { what: 'four deliveries' });
        await flushed(direct.node, link.node);
        expect(got.splice(0).sort()).toEqual(expected(1));
        const mark = link.events.length;
        proxy.cut();
        await link.reaches('ready', mark);
        await publisher.publish({ n: 2 });
        await until(() => got.length >= 4, { what: 'four deliveries after the loss' });
        await flushed(direct.node, link.node);
        expect(got.sort()).toEqual(expected(2));
      });

      test('killed and restarted: services answer, heartbeats go on, nothing is left of the calls in flight', async () => {
        const beats: unknown[] = [];
        await using service = await watched(
          broker.url,
          { version },
          { name: 'srv', heartbeat: { intervalMs: 50 } },
        );
        await using client = await watched(broker.url, { version });
        let hold = false;
        let held = 0;
        const released: (() => void)[] = [];
        await service.node.serve(double, async ({ n }) => {
          held++;
          if (hold) await new Promise<void>((resolve) => released.push(resolve));
          return { n: 2 * n };
        });
        await client.node.subscribe(topic('srv.heartbeat', anything), (beat) => void beats.push(beat));
        const caller = client.node.client(double, { timeoutMs: 20_000 });
        expect(await caller.call({ n: 4 })).toEqual({ n: 8 });
        hold = true;
        const inFlight = caller.call({ n: 1 });
        const lost = expect(inFlight).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
        await until(() => held === 2, { what: 'the second request at the service' });
        const [markService, markClient] = [service.events.length, client.events.length];
        await broker.kill9();
        await lost; // At the loss, long before its timeout.
        await client.reaches('reconnecting', markClient);
        await service.reaches('reconnecting', markService);
        await expect(caller.call({ n: 2 })).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
        hold = false;
        await broker.restart();
        await client.reaches('ready', markClient);
        await service.reaches('ready', markService);
        expect(await caller.call({ n: 5 })).toEqual({ n: 10 });
        const before = beats.length;
        await until(() => beats.length > before, { what: 'heartbeats after the restart' });
        // The answer of the call that was lost comes late: it is dropped, and no other call gets it.
        for (const release of released) release();
        await until(() => client.node.counters.lateReplies === 1, { what: 'the late answer' });
        expect(await caller.call({ n: 6 })).toEqual({ n: 12 });
      });
    });

    test('an answer that comes after its deadline, and a second answer, are dropped', async () => {
      await using service = await watched(broker.url);
      await using client = await watched(broker.url);
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const replyTo: string[] = [];
      await service.node.serve(double, async ({ n }, { header }) => {
        replyTo.push(String(header.reply_to));
        if (n === 1) await released;
        return { n: 2 * n };
      });
      const caller = client.node.client(double);
      await expect(caller.call({ n: 1 }, { timeoutMs: 500 })).rejects.toMatchObject({ code: 'TIMEOUT' });
      await until(() => replyTo.length === 1, { what: 'the request' });
      release();
      await until(() => client.node.counters.lateReplies === 1, { what: 'the late answer' });
      expect(await caller.call({ n: 2 })).toEqual({ n: 4 });
      const forged = new TextEncoder().encode('{"header":{"reply_to":""},"data":{"n":66}}');
      for (const address of replyTo) await service.node.transport.publish(address, forged);
      await until(() => client.node.counters.lateReplies === 3, { what: 'the forged answers' });
      expect(await caller.call({ n: 3 })).toEqual({ n: 6 });
      expect(client.problems()).toEqual([]);
    });

    test('a link that falls silent is noticed by its keepalive, and calls in flight are told', async () => {
      await using service = await watched(broker.url);
      await service.node.serve(double, ({ n }) => ({ n: 2 * n }));
      await using client = await watched(url, { keepaliveMs: 1_000 });
      const caller = client.node.client(double, { timeoutMs: 25_000 });
      expect(await caller.call({ n: 1 })).toEqual({ n: 2 });
      proxy.pause();
      const begun = performance.now();
      await expect(caller.call({ n: 2 })).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
      expect(performance.now() - begun).toBeLessThan(10_000);
      const lost = client.events.find(
        (event) => event.type === 'status' && event.status.state === 'reconnecting',
      );
      expect(lost).toMatchObject({ status: { error: { code: 'CONNECTION_LOST' } } });
      const mark = client.events.length;
      proxy.resume();
      await client.reaches('ready', mark);
      expect(await caller.call({ n: 3 })).toEqual({ n: 6 });
    });

    test('at-least-once messages in flight at a loss are sent again, and those of the outage follow in order', async () => {
      const sure = topic('sure', counted, { delivery: 'at-least-once' });
      await using direct = await watched(broker.url);
      const got: number[] = [];
      await direct.node.subscribe(topic('sure', counted), ({ n }) => void got.push(n));
      await using link = await watched(url, { keepaliveMs: 60_000 });
      const publisher = link.node.publisher(sure);
      proxy.pause();
      const inFlight = [1, 2, 3].map((n) => publisher.publish({ n }));
      let settled = false;
      void Promise.allSettled(inFlight).then(() => {
        settled = true;
      });
      await proxy.refuse();
      await link.reaches('reconnecting');
      const whileAway = [4, 5].map((n) => publisher.publish({ n }));
      await expect(link.node.publisher(topic('sure', counted)).publish({ n: 9 })).rejects.toMatchObject({
        code: 'NOT_CONNECTED',
      });
      expect(settled).toBe(false);
      proxy.resume();
      await proxy.accept();
      await Promise.all([...inFlight, ...whileAway]);
      await until(() => got.length >= 5, { what: 'all five messages' });
      expect([...new Set(got)]).toEqual([1, 2, 3, 4, 5]);
    });

    test('a subscription made while the broker is away is there when it is back', async () => {
      await using link = await watched(broker.url);
      const mark = link.events.length;
      await broker.kill9();
      await link.reaches('reconnecting', mark);
      const got: number[] = [];
      const opening = link.node.subscribe(topic('later', counted), ({ n }) => void got.push(n));
      await broker.restart();
      await opening;
      await link.node.publisher(topic('later', counted)).publish({ n: 7 });
      await until(() => got.length === 1, { what: 'the message' });
    });

    test('closed while the broker is away: within the deadline, and everything pending is told', async () => {
      const link = await watched(broker.url);
      const sure = link.node.publisher(topic('sure', counted, { delivery: 'at-least-once' }));
      const mark = link.events.length;
      await broker.kill9();
      await link.reaches('reconnecting', mark);
      const opening = link.node.subscribe(topic('never', counted));
      const pending = [sure.publish({ n: 1 }), opening].map((promise) =>
        promise.then(
          () => 'resolved',
          (error: unknown) => (CommlibError.is(error) ? error.code : String(error)),
        ),
      );
      const begun = performance.now();
      await link.node.close({ deadlineMs: 500 });
      expect(performance.now() - begun).toBeLessThan(8_000);
      expect(await Promise.all(pending)).toEqual(['CLOSED', 'CLOSED']);
      expect(link.node.status.state).toBe('closed');
    });

    test('an iterator outlives losses, and ends with its node', async () => {
      await using direct = await watched(broker.url);
      const link = await watched(url);
      const got: number[] = [];
      const subscriber = await link.node.subscribe(topic('it', counted));
      const reading = (async () => {
        for await (const { data } of subscriber) got.push(data.n);
      })();
      await direct.node.publisher(topic('it', counted)).publish({ n: 1 });
      await until(() => got.length === 1, { what: 'the first message' });
      const mark = link.events.length;
      proxy.cut();
      await link.reaches('ready', mark);
      await direct.node.publisher(topic('it', counted)).publish({ n: 2 });
      await until(() => got.length === 2, { what: 'the message after the loss' });
      await link.node.close();
      await reading;
      expect(got).toEqual([1, 2]);
    });
  },
  { own: true },
);

/** Whatever was on its way before this has arrived after it: one more message takes the same way. */
async function flushed(from: Node, to: Node): Promise<void> {
  const last = topic(`flush/${Math.random().toString(36).slice(2)}`, anything);
  let arrived = false;
  const subscriber = await to.subscribe(last, () => {
    arrived = true;
  });
  await from.publisher(last).publish({});
  await until(() => arrived, { what: 'the last message', everyMs: 2 });
  await subscriber.close();
}
