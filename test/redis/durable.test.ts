import type { Inbound } from '@commlib/core';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type RedisServer, startRedis, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, durable, rejection, surely, text, unique } from './links.js';

describeOn(
  'redis',
  () => {
    describe('at least once on Redis: streams', () => {
      let server: RedisServer;
      let raw: Redis;
      beforeAll(async () => {
        server = await startRedis({ own: true, appendonly: 'always' });
        raw = new Redis(server.url);
        raw.on('error', () => {});
      });
      afterAll(async () => {
        raw?.disconnect();
        await server?.stop();
      });

      const pending = async (topic: string, group: string) => {
        const [count] = (await raw.xpending(`stream:${topic}`, group)) as [number];
        return count;
      };

      test('what is sent after the group exists comes once, in order, with headers and position, and is acknowledged', async () => {
        await using a = await connected(server.url);
        await using b = await connected(server.url);
        const topic = unique();
        await b.transport.publish(topic, bytes('before'), surely);
        const got: Inbound[] = [];
        await a.transport.subscribe(topic, durable('g'), (message) => {
          got.push(message);
          message.settle?.('ack');
        });
        for (let i = 0; i < 50; i++)
          await b.transport.publish(topic, bytes(String(i)), {
            ...surely,
            headers: { n: String(i), __proto__x: 'y' },
          });
        await until(() => got.length === 50, { what: 'all messages' });
        expect(got.map(text)).toEqual(Array.from({ length: 50 }, (_, i) => String(i)));
        expect(got[7]).toMatchObject({ address: topic, attempt: 1, redelivered: false, retained: false });
        expect({ ...got[7]?.headers }).toEqual({ n: '7', __proto__x: 'y' });
        expect(got[7]?.position).toMatch(/^\d+-\d+$/);
        await until(async () => (await pending(topic, 'g')) === 0, { what: 'the acknowledgements' });
      });

      test.for([
        ['earliest', ['one', 'two', 'three']],
        ['new', []],
      ] as const)('start: %s', async ([start, expected]) => {
        await using a = await connected(server.url);
        const topic = unique();
        for (const one of ['one', 'two', 'three']) await a.transport.publish(topic, bytes(one), surely);
        const got: string[] = [];
        await a.transport.subscribe(topic, durable('g', { start }), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        await a.transport.publish(topic, bytes('last'), surely);
        await until(() => got.includes('last'), { what: 'the last' });
        expect(got).toEqual([...expected, 'last']);
      });

      test('start at a position: from that message on', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        await a.transport.publish(topic, bytes('one'), surely);
        const ids = await raw.xrange(`stream:${topic}`, '-', '+');
        await a.transport.publish(topic, bytes('two'), surely);
        const got: string[] = [];
        const start = { position: ids[0]?.[0] ?? '' };
        await a.transport.subscribe(topic, durable('g', { start }), (message) => got.push(text(message)));
        await until(() => got.length === 2, { what: 'both' });
        expect(got).toEqual(['one', 'two']);
      });

      test('two members share, each message goes to one; two groups each get all', async () => {
        await using a = await connected(server.url);
        await using b = await connected(server.url);
        const topic = unique();
        const by: Record<string, string[]> = { a: [], b: [], other: [] };
        const take = (who: string) => (message: Inbound) => {
          by[who]?.push(text(message));
          message.settle?.('ack');
        };
        await a.transport.subscribe(topic, durable('g', { maxInFlight: 1 }), take('a'));
        await b.transport.subscribe(topic, durable('g', { maxInFlight: 1 }), take('b'));
        await b.transport.subscribe(topic, durable('h'), take('other'));
        const all = Array.from({ length: 200 }, (_, i) => String(i));
        await Promise.all(all.map((one) => a.transport.publish(topic, bytes(one), surely)));
        await until(() => by.other?.length === 200 && (by.a?.length ?? 0) + (by.b?.length ?? 0) === 200, {
          what: 'all',
        });
        expect([...(by.a ?? []), ...(by.b ?? [])].sort()).toEqual([...all].sort());
      });

      test('no more than maxInFlight without a settlement; nack and retryInMs deliver again and count; reject ends it', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: Inbound[] = [];
        await a.transport.subscribe(topic, durable('g', { maxInFlight: 3 }), (message) => got.push(message));
        await Promise.all(
          Array.from({ length: 10 }, (_, i) => a.transport.publish(topic, bytes(String(i)), surely)),
        );
        await until(() => got.length === 3, { what: 'three' });
        got[0]?.settle?.('nack');
        got[1]?.settle?.({ retryInMs: 30 });
        got[2]?.settle?.('reject');
        await until(() => got.length === 6, { what: 'both again and one more' });
        const again = got.slice(3).map((message) => [text(message), message.attempt, message.redelivered]);
        expect(again).toContainEqual(['0', 2, true]);
        expect(again).toContainEqual(['1', 2, true]);
        expect(again).toContainEqual(['3', 1, false]);
        for (const message of got.slice(3)) message.settle?.('ack');
        await until(() => got.length === 9, { what: 'the next three' });
        for (const message of got.slice(6)) message.settle?.('ack');
        await until(() => got.length === 12, { what: 'the rest' });
        expect(new Set(got.map(text)).size).toBe(10);
      });

      test('the count of deliveries survives the member: what it nacked is attempt 4 for the one that claims it', async () => {
        const topic = unique();
        const first: number[] = [];
        {
          await using a = await connected(server.url, { claimIdleMs: 300 });
          await a.transport.subscribe(topic, durable('g'), (message) => {
            first.push(message.attempt ?? 0);
            if (first.length < 3) message.settle?.({ retryInMs: 10 });
          });
          await a.transport.publish(topic, bytes('x'), surely);
          await until(() => first.length === 3, { what: 'three deliveries' });
          expect(first).toEqual([1, 2, 3]);
        }
        await using b = await connected(server.url, { claimIdleMs: 300 });
        const second: Inbound[] = [];
        await b.transport.subscribe(topic, durable('g'), (message) => {
          second.push(message);
          message.settle?.('ack');
        });
        await until(() => second.length === 1, { what: 'the claimed message' });
        expect(second[0]).toMatchObject({ attempt: 4, redelivered: true });
        await until(async () => (await pending(topic, 'g')) === 0, { what: 'the acknowledgement' });
      });

      test('a handler that takes long keeps its message; nobody else gets it', async () => {
        await using a = await connected(server.url, { claimIdleMs: 200 });
        await using b = await connected(server.url, { claimIdleMs: 200 });
        const topic = unique();
        const got: Inbound[] = [];
        await a.transport.subscribe(topic, durable('g'), (message) => got.push(message));
        await a.transport.publish(topic, bytes('slow'), surely);
        await until(() => got.length === 1, { what: 'the message' });
        const others: Inbound[] = [];
        await b.transport.subscribe(topic, durable('g', { maxInFlight: 10 }), (message) =>
          others.push(message),
        );
        const begun = Date.now();
        await until(() => Date.now() - begun > 1_000, { what: 'five idle times' });
        expect(others).toEqual([]);
        got[0]?.settle?.('ack');
        await until(async () => (await pending(topic, 'g')) === 0, { what: 'the acknowledgement' });
        expect(got).toHaveLength(1);
      });

      test('after a loss, what was not acknowledged comes again, first and with the next attempt; old settlements are void', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: Inbound[] = [];
        await a.transport.subscribe(topic, durable('g', { maxInFlight: 2 }), (message) => got.push(message));
        for (const one of ['1', '2', '3']) await a.transport.publish(topic, bytes(one), surely);
        await until(() => got.length === 2, { what: 'two' });
        await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await until(() => got.length === 4, { what: 'both again' });
        expect(got.slice(2).map((message) => [text(message), message.attempt])).toEqual([
          ['1', 2],
          ['2', 2],
        ]);
        got[0]?.settle?.('ack');
        got[1]?.settle?.('ack');
        expect(await pending(topic, 'g')).toBe(2);
        got[2]?.settle?.('ack');
        got[3]?.settle?.('ack');
        await until(() => got.length === 5, { what: 'the third' });
        expect(text(got[4] ?? { payload: bytes('') })).toBe('3');
      });

      test('closing: nothing more is delivered, what was may be settled, the group stays and collects; forget ends it', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: Inbound[] = [];
        const intake = await a.transport.subscribe(topic, durable('g'), (message) => got.push(message));
        await a.transport.publish(topic, bytes('1'), surely);
        await until(() => got.length === 1, { what: 'the first' });
        let closed = false;
        const closing = intake.close().then(() => {
          closed = true;
        });
        // Until its read is called back, the server may still give it something; that would go back, to be claimed.
        await until(async () => !/ flags=\w*b/.test(String(await raw.client('LIST'))), {
          what: 'no read waits',
        });
        await a.transport.publish(topic, bytes('2'), surely);
        expect(closed).toBe(false);
        got[0]?.settle?.('ack');
        await closing;
        expect(await pending(topic, 'g')).toBe(0);
        expect(got).toHaveLength(1);
        // Nobody is left in the group, as nothing is held.
        expect(await raw.xinfo('CONSUMERS', `stream:${topic}`, 'g')).toEqual([]);
        const later: string[] = [];
        const again = await a.transport.subscribe(topic, durable('g'), (message) => {
          later.push(text(message));
          message.settle?.('ack');
        });
        await until(() => later.length === 1, { what: 'what came meanwhile' });
        expect(later).toEqual(['2']);
        await again.close({ forget: true });
        expect(await raw.xinfo('GROUPS', `stream:${topic}`)).toEqual([]);
      });

      test('everything deleted: the group is made anew and goes on', async () => {
        await using a = await connected(server.url);
        const topic = unique();
        const got: string[] = [];
        await a.transport.subscribe(topic, durable('g'), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        await a.transport.publish(topic, bytes('before'), surely);
        await until(() => got.length === 1, { what: 'the first' });
        await raw.flushall();
        await a.transport.publish(topic, bytes('after'), surely);
        await until(() => got.length === 2, { what: 'the one after' });
        expect(got).toEqual(['before', 'after']);
        expect(a.states()).not.toContain('reconnecting');
      });

      test('what is still on its way to a member is not claimed by that very member, and comes once', async () => {
        await using proxy = await startProxy(server.port);
        await using from = await connected(server.url);
        // Each piece is under way for a time of its own: far longer than what makes an entry look abandoned.
        proxy.latency(1, 150);
        await using a = await connected(through(proxy, server.url), { claimIdleMs: 30 });
        const topic = unique();
        const got: string[] = [];
        await a.transport.subscribe(topic, durable('g'), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        const sent = Array.from({ length: 20 }, (_, i) => String(i));
        for (const one of sent) {
          await from.transport.publish(topic, bytes(one), surely);
          await until(() => got.includes(one), { what: `message ${one}` });
        }
        await a.transport.close({ deadlineMs: 5_000 });
        expect(got).toEqual(sent);
      });

      test('many streams and a second group are read at once, and what is added later too', async () => {
        await using a = await connected(server.url);
        const base = unique();
        const got: string[] = [];
        for (let i = 0; i < 30; i++) {
          await a.transport.subscribe(`${base}.${i}`, durable(i % 2 ? 'odd' : 'even'), (message) => {
            got.push(message.address);
            message.settle?.('ack');
          });
          await a.transport.publish(`${base}.${i}`, bytes('x'), surely);
          await until(() => got.length === i + 1, { what: `the message on stream ${i}` });
        }
      });

      test('trimming: a stream keeps about as many entries as asked', async () => {
        await using a = await connected(server.url, { maxLength: 100 });
        const topic = unique();
        await Promise.all(
          Array.from({ length: 2_000 }, (_, i) => a.transport.publish(topic, bytes(String(i)), surely)),
        );
        expect(await raw.xlen(`stream:${topic}`)).toBeLessThan(400);
        const other = unique();
        const native = { redis: { maxLength: 1_000_000 } };
        await Promise.all(
          Array.from({ length: 500 }, () => a.transport.publish(other, bytes('x'), { ...surely, native })),
        );
        expect(await raw.xlen(`stream:${other}`)).toBe(500);
      });

      test('wildcards, a missing group and a list of the same name are told', async () => {
        await using a = await connected(server.url);
        const filter = a.transport.names.filter({ text: 'a.+', kind: 'plain' });
        expect(await rejection(a.transport.subscribe(filter, durable('g'), () => {}))).toMatchObject({
          code: 'UNSUPPORTED',
        });
        const nameless = { delivery: 'at-least-once', maxInFlight: 1 } as const;
        expect(await rejection(a.transport.subscribe('a', nameless, () => {}))).toMatchObject({
          code: 'UNSUPPORTED',
        });
        const topic = unique();
        await raw.set(`stream:${topic}`, 'a string');
        expect(await rejection(a.transport.subscribe(topic, durable('g'), () => {}))).toMatchObject({
          code: 'WRONG_TYPE',
        });
        expect(await rejection(a.transport.publish(topic, bytes('x'), surely))).toMatchObject({
          code: 'WRONG_TYPE',
        });
      });
    });
  },
  { own: true },
);
