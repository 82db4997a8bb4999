/** A handler that is slow, a network that is slow, a link that takes nothing for a while: nobody else suffers, and it shows. */
import { anything, rpc, topic } from '@commlib/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, type MqttBroker, startMosquitto, until } from '../brokers/index.js';
import { startProxy, type TcpProxy, through } from './proxy.js';
import { watched } from './reconnect/nodes.js';

const numbered = z.object({ n: z.number() });
const echo = rpc('slow.echo', { request: numbered, response: numbered });

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

    test('a slow handler loses the oldest, says so, and holds up neither calls nor other subscribers', async () => {
      await using publisher = await watched(broker.url);
      await using node = await watched(broker.url);
      const slow: number[] = [];
      const fast: number[] = [];
      let open = () => {};
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const subscriber = await node.node.subscribe(
        topic('flood', numbered),
        async ({ n }) => {
          slow.push(n);
          await gate;
        },
        { maxInFlight: 100 },
      );
      await node.node.subscribe(topic('flood', numbered), ({ n }) => void fast.push(n));
      await node.node.serve(echo, ({ n }) => ({ n }));
      const flood = publisher.node.publisher(topic('flood', numbered));
      for (let n = 0; n < 5_000; n++) {
        await flood.publish({ n });
        // The broker drops what a client does not fetch in time: not what is looked at here.
        if (n % 500 === 499) await until(() => fast.length > n, { what: 'the fast subscriber', everyMs: 2 });
      }
      const caller = publisher.node.client(echo);
      expect(await caller.call({ n: 7 })).toEqual({ n: 7 });
      expect(fast).toHaveLength(5_000);
      expect(slow).toEqual([0]);
      open();
      await until(() => slow.length === 101, { what: 'the newest hundred' });
      expect(slow.slice(1)).toEqual(Array.from({ length: 100 }, (_, i) => 4_900 + i));
      expect(subscriber.dropped).toBe(4_899);
      expect(node.events.filter(({ type }) => type === 'overflow')).toEqual([
        { type: 'overflow', endpoint: 'flood', dropped: 1 },
      ]);
    });

    test('a slow network: hundreds of calls in flight, each with its own answer', async () => {
      // Mosquitto's own limit of 20 unconfirmed messages per client would make it 20 per round trip.
      await using wide = await startMosquitto({ config: ['max_inflight_messages 1000'] });
      await using slowLink = await startProxy(wide.port);
      await using service = await watched(wide.url);
      await service.node.serve(echo, ({ n }) => ({ n }), { concurrency: 500 });
      await using client = await watched(through(slowLink, wide.url));
      slowLink.latency(100);
      const caller = client.node.client(echo);
      await caller.call({ n: -1 });
      const begun = performance.now();
      const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => caller.call({ n })));
      expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
      // A round trip takes 0.2 s; one after the other they would take 100 s.
      expect(performance.now() - begun).toBeLessThan(10_000);
    }, 90_000);

    test('a link that takes nothing: publishing waits instead of filling the memory, and nothing is lost', async () => {
      const payload = 'x'.repeat(50_000);
      const got: number[] = [];
      await using subscriber = await watched(broker.url);
      const texts = topic('big', z.object({ n: z.number(), payload: z.string() }));
      await subscriber.node.subscribe(texts, ({ n }) => void got.push(n), { maxInFlight: 10_000 });
      await using publisher = await watched(url);
      const big = publisher.node.publisher(texts);
      await big.publish({ n: 0, payload });
      proxy.pause();
      let sent = 1;
      let stopped = false;
      const publishing = (async () => {
        while (!stopped) {
          await big.publish({ n: sent, payload });
          sent++;
        }
      })();
      // It comes to rest: what the two kernels take, and one buffer of ours.
      let before = -1;
      await until(
        () => {
          const resting = sent === before && sent > 1;
          before = sent;
          return resting;
        },
        { what: 'publishing comes to rest', everyMs: 300 },
      );
      expect(sent * payload.length).toBeLessThan(64 * 2 ** 20);
      stopped = true;
      proxy.resume();
      await publishing;
      await until(() => got.length === sent, { what: 'all messages' });
      expect(got).toEqual(Array.from({ length: sent }, (_, n) => n));
    });

    test('credentials that are valid no longer end the reconnecting, and everybody who waits is told why', async () => {
      await using guarded = await startMosquitto({ users: { me: 'old-secret' } });
      const link = await watched(guarded.url, { username: 'me', password: 'old-secret' });
      const iterated = await link.node.subscribe(topic('x', anything));
      const reading = (async () => {
        for await (const _ of iterated);
      })();
      reading.catch(() => {});
      await guarded.kill9();
      await link.reaches('reconnecting');
      const sure = link.node.publisher(topic('sure', anything, { delivery: 'at-least-once' })).publish({});
      const opening = link.node.subscribe(topic('y', anything));
      for (const waiting of [sure, opening]) waiting.catch(() => {});
      await using _stranger = await startMosquitto({ users: { me: 'new-secret' }, port: guarded.port });
      await link.reaches('closed');
      expect(link.node.status).toMatchObject({ error: { code: 'AUTHENTICATION_FAILED', permanent: true } });
      await expect(reading).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
      await expect(sure).rejects.toMatchObject({ code: 'CLOSED' });
      await expect(opening).rejects.toMatchObject({ code: 'CLOSED' });
      await expect(link.node.publisher(topic('x', anything)).publish({})).rejects.toMatchObject({
        code: 'CLOSED',
        message: expect.stringContaining('wrong user name or password'),
        cause: { code: 'AUTHENTICATION_FAILED' },
      });
      await expect(link.node.client(echo).call({ n: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
      await link.node.close();
    }, 90_000);
  },
  { own: true },
);
