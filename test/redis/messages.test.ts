import { commlibPattern, type Inbound, literal, type NameInput, toName } from '@commlib/core';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type RedisServer, startRedis, until } from '../brokers/index.js';
import { bytes, connected, lossy, rejection, text, unique } from './links.js';

describeOn(
  'redis',
  () => {
    describe('messages over PUBLISH', () => {
      let server: RedisServer;
      let raw: Redis;
      beforeAll(async () => {
        server = await startRedis({ own: true });
        raw = new Redis(server.url);
        raw.on('error', () => {});
      });
      afterAll(async () => {
        raw?.disconnect();
        await server?.stop();
      });

      test('after subscribe resolves nothing is missed, and all comes in order', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: Inbound[] = [];
        await a.transport.subscribe(topic, lossy, (message) => got.push(message));
        for (let i = 0; i < 500; i++) raw.publish(topic, String(i));
        await until(() => got.length === 500, { what: 'all' });
        expect(got.map(text)).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
        expect(got[0]).toMatchObject({ address: topic, retained: false });
        expect(got[0]?.settle).toBeUndefined();
      });

      test('bytes are bytes: every value, empty, and a megabyte', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: Uint8Array[] = [];
        await a.transport.subscribe(topic, lossy, ({ payload }) => got.push(payload));
        const sent = [
          Uint8Array.from({ length: 256 }, (_, i) => i),
          new Uint8Array(),
          new Uint8Array(1_000_000).fill(200),
        ];
        for (const payload of sent) await a.transport.publish(topic, payload);
        await until(() => got.length === 3, { what: 'all' });
        expect(
          got.map((payload) => Buffer.compare(payload, sent[got.indexOf(payload)] ?? new Uint8Array())),
        ).toEqual([0, 0, 0]);
      });

      test('the same memory may be used again as soon as publish has returned', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: string[] = [];
        await a.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        const buffer = bytes('0');
        for (let i = 0; i < 10; i++) {
          buffer[0] = 48 + i;
          void a.transport.publish(topic, buffer);
        }
        await until(() => got.length === 10, { what: 'all' });
        expect(got).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
      });

      const cases: [NameInput, readonly string[], readonly string[]][] = [
        ['a.+', ['a.b', 'a.'], ['a', 'a.b.c', 'ab', 'a/b.c']],
        ['a.+.c', ['a.b.c', 'a..c'], ['a.b', 'a.b.c.d', 'a.b.x.c']],
        ['a.#', ['a', 'a.b', 'a.b.c'], ['ab', 'b.a']],
        ['a/+/#', ['a/b', 'a/b/c', 'a/b/c/d'], ['a', 'b/a/c']],
        ['a.+.b.#', ['a.x.b', 'a.x.b.y'], ['a.x.bb', 'a.x']],
        ['#', ['a', 'a.b'], ['$x', '$x.a']],
        ['+.b', ['a.b'], ['$a.b', 'a.b.c']],
        [literal('x/+'), ['x/a.b', 'x/a'], ['x/a/b', 'x.a']],
        [literal('+'), ['a.b', 'a'], ['a/b']],
        [literal('x.y/#'), ['x.y', 'x.y/a/b.c'], ['x/y', 'x.y.a']],
        ['a*b?c[d]\\.+', ['a*b?c[d]\\.x'], ['aXb?c[d]\\.x', 'a*bXc[d]\\.x', 'a*b?cd\\.x']],
        ['we*ird?[x]\\y', ['we*ird?[x]\\y'], ['weXird?[x]\\y']],
        [commlibPattern('a.*'), ['a.b', 'a.b.c', 'a.b/c'], ['a', 'ab']],
        [commlibPattern('sensors*'), ['sensors', 'sensors.front', 'sensorsX'], ['sensor']],
        [commlibPattern('a.*.c'), ['a.b.c', 'a.b.x.c'], ['a.c', 'a.b']],
      ];
      test.for(cases)('the filter %j', async ([name, matching, others]) => {
        for (const maxPatterns of [64, 1]) {
          await using a = await connected(server.url, { maxPatterns });
          const got: string[] = [];
          const { names } = a.transport;
          await a.transport.subscribe(names.filter(toName(name)), lossy, (message) =>
            got.push(message.address),
          );
          // With one pattern allowed, this one makes both be covered by another.
          const more: string[] = [];
          await a.transport.subscribe(names.filter(toName('zz.+')), lossy, () => more.push('x'));
          for (const channel of [...matching, ...others]) raw.publish(channel, 'x');
          await raw.publish('zz.end', 'x');
          await until(() => more.length > 0, { what: 'the end' });
          expect(got.filter((channel) => channel !== 'zz.end').sort()).toEqual([...matching].sort());
        }
      });

      test('one delivery per subscription, however many overlap', async () => {
        await using a = await connected(server.url);
        const base = unique();
        const got: string[] = [];
        const { names } = a.transport;
        const filters = [`${base}.x`, `${base}.x`, `${base}.+`, `${base}.+`, `${base}.#`, '#', '+.x'];
        const intakes = [];
        for (const [i, filter] of filters.entries())
          intakes.push(
            await a.transport.subscribe(names.filter(toName(filter)), lossy, () => got.push(String(i))),
          );
        await raw.publish(`${base}.x`, 'x');
        await until(() => got.length >= 7, { what: 'seven' });
        await raw.publish(`${base}.x`, 'x');
        await until(() => got.length >= 14, { what: 'fourteen' });
        expect(got.sort()).toEqual(['0', '0', '1', '1', '2', '2', '3', '3', '4', '4', '5', '5', '6', '6']);
        await intakes[2]?.close();
        await intakes[0]?.close();
        await raw.publish(`${base}.x`, 'x');
        await until(() => got.length >= 19, { what: 'five more' });
        expect(got.filter((one) => one === '2' || one === '0')).toHaveLength(4);
      });

      test('when all have left, the server has no subscription left', async () => {
        await using a = await connected(server.url);
        const { names } = a.transport;
        const intakes = [];
        for (const filter of ['q.1', 'q.1', 'q.+', 'q.#', '+.1'])
          intakes.push(await a.transport.subscribe(names.filter(toName(filter)), lossy, () => {}));
        await Promise.all(intakes.map((intake) => intake.close()));
        await until(
          async () => Number(await raw.pubsub('NUMPAT')) === 0 && (await raw.pubsub('CHANNELS')).length === 0,
          {
            what: 'no subscriptions',
          },
        );
      });

      test('10 000 filters: few patterns at the server, every message to its own, while they are made too', async () => {
        await using a = await connected(server.url);
        const { names } = a.transport;
        const base = unique();
        const counts = new Map<number, number>();
        const joins = Array.from({ length: 10_000 }, (_, i) =>
          a.transport.subscribe(names.filter(toName(`${base}.d${i}.+`)), lossy, () =>
            counts.set(i, (counts.get(i) ?? 0) + 1),
          ),
        );
        // The first is subscribed already; it misses nothing while the patterns change.
        await joins[0];
        for (let n = 0; n < 200; n++) await raw.publish(`${base}.d0.x`, 'x');
        const intakes = await Promise.all(joins);
        expect(await raw.pubsub('NUMPAT')).toBeLessThanOrEqual(64);
        for (const i of [0, 1, 77, 5_000, 9_999]) await raw.publish(`${base}.d${i}.x`, 'x');
        await until(() => counts.get(9_999) === 1, { what: 'the last' });
        expect(Object.fromEntries(counts)).toEqual({ 0: 201, 1: 1, 77: 1, 5000: 1, 9999: 1 });
        await Promise.all(intakes.map((intake) => intake.close()));
      });

      test('patterns that change under a stream of messages: none is lost, none comes twice', async () => {
        const base = unique();
        let sent = 0;
        let over = false;
        const publishing = (async () => {
          while (!over)
            await Promise.all(Array.from({ length: 20 }, () => raw.publish(`${base}.one.x`, String(sent++))));
        })();
        try {
          for (let round = 0; round < 15; round++) {
            await using a = await connected(server.url, { maxPatterns: 4 });
            const { names } = a.transport;
            const got: number[] = [];
            const own = names.filter(toName(`${base}.one.+`));
            await a.transport.subscribe(own, lossy, (message) => got.push(Number(text(message))));
            await until(() => got.length > 0, { what: 'the first' });
            for (const shared of [`${base}.`, `${base.slice(0, 5)}`, `${base.slice(0, 2)}`, ''])
              for (let i = 0; i < 4; i++)
                await a.transport.subscribe(
                  names.filter(toName(`${shared}${i}${unique()}.+`)),
                  lossy,
                  () => {},
                );
            const end = sent + 20;
            await until(() => (got.at(-1) ?? 0) > end, { what: 'the last' });
            const first = got[0] ?? 0;
            expect(got).toEqual(Array.from({ length: got.length }, (_, i) => first + i));
          }
        } finally {
          over = true;
          await publishing;
        }
      });

      test('what PUBLISH cannot do is a typed error', async () => {
        await using a = await connected(server.url);
        for (const options of [
          { headers: { a: 'b' } },
          { key: 'k' },
          { retain: true },
          { expiresInMs: 5 },
          { mandatory: true },
        ])
          expect(await rejection(a.transport.publish('x', bytes('x'), options))).toMatchObject({
            code: 'UNSUPPORTED',
          });
        const grouped = a.transport.subscribe('x', { ...lossy, group: 'g' }, () => {});
        expect(await rejection(grouped)).toMatchObject({ code: 'UNSUPPORTED' });
        const past = a.transport.subscribe('x', { ...lossy, start: 'earliest' }, () => {});
        expect(await rejection(past)).toMatchObject({ code: 'UNSUPPORTED' });
      });
    });
  },
  { own: true },
);
