import { anything, Node, rpc } from '@commlib/core';
import { redis } from '@commlib/transport-redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type RedisServer, startRedis, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, durable, lossy, rejection, surely, text, unique } from './links.js';

describeOn(
  'redis',
  () => {
    describe('losing the connection to Redis', () => {
      let server: RedisServer;
      beforeAll(async () => {
        server = await startRedis({ own: true, appendonly: 'always' });
      });
      afterAll(() => server?.stop());

      test('cut: everything is restored before it is ready again', async () => {
        await using proxy = await startProxy(server.port);
        await using link = await connected(through(proxy, server.url));
        await using other = await connected(server.url);
        const [topic, pattern, lasting, name] = [unique(), unique(), unique(), unique()];
        const got: string[] = [];
        const { transport } = link;
        await transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        await transport.subscribe(
          transport.names.filter({ text: `${pattern}.+`, kind: 'plain' }),
          lossy,
          (message) => got.push(text(message)),
        );
        await transport.subscribe(lasting, durable('g'), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        await transport.serve(name, { maxInFlight: 5 }, (request) => {
          got.push(text(request));
          request.settle?.('ack');
        });
        for (let round = 0; round < 5; round++) {
          proxy.cut();
          await until(() => link.states().filter((state) => state === 'ready').length === round + 2, {
            what: 'ready again',
          });
          got.length = 0;
          await other.transport.publish(topic, bytes('exact'));
          await other.transport.publish(`${pattern}.x`, bytes('pattern'));
          await other.transport.publish(lasting, bytes('lasting'), surely);
          const inbox = await other.transport.openInbox({}, () => {});
          await inbox.send(name, bytes('request'), inbox.claim());
          await until(() => got.length === 4, { what: 'all four' });
          expect([...got].sort()).toEqual(['exact', 'lasting', 'pattern', 'request']);
          await inbox.close();
        }
      });

      test('offline: at most once and requests reject, at least once waits, bounded, and goes out in order', async () => {
        await using proxy = await startProxy(server.port);
        await using link = await connected(through(proxy, server.url), { maxBuffered: 5 });
        await using other = await connected(server.url);
        const topic = unique();
        const got: string[] = [];
        await other.transport.subscribe(topic, durable('g'), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        const inbox = await link.transport.openInbox({}, () => {});
        await proxy.refuse();
        await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
        expect(await rejection(link.transport.publish('x', bytes('x')))).toMatchObject({
          code: 'NOT_CONNECTED',
        });
        expect(await rejection(inbox.send('x', bytes('x'), inbox.claim()))).toMatchObject({
          code: 'NOT_CONNECTED',
        });
        const waiting = Array.from({ length: 5 }, (_, i) =>
          link.transport.publish(topic, bytes(String(i)), surely),
        );
        expect(await rejection(link.transport.publish(topic, bytes('6'), surely))).toMatchObject({
          code: 'BUFFER_FULL',
        });
        const subscribing = link.transport.subscribe(unique(), lossy, () => {});
        await proxy.accept();
        await Promise.all(waiting);
        await subscribing;
        await until(() => got.length === 5, { what: 'all five' });
        expect(got).toEqual(['0', '1', '2', '3', '4']);
      });

      test('a half-open link is noticed on every kind of connection, and replaced', async () => {
        await using proxy = await startProxy(server.port);
        await using link = await connected(through(proxy, server.url), { keepaliveMs: 300 });
        await link.transport.subscribe(unique(), lossy, () => {});
        proxy.pause();
        await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
        proxy.cut();
        proxy.resume();
        await until(() => link.transport.status.state === 'ready', { what: 'ready again' });
      });

      test('the server is killed while calls and messages are under way: calls fail typed, messages arrive, all goes on', async () => {
        await using link = await connected(server.url);
        const events: string[] = [];
        await using client = await new Node({ transport: redis(server.url), onEvent: () => {} }).start();
        await using service = await new Node({
          transport: redis(server.url),
          onEvent: (event) => event.type === 'status' && events.push(event.status.state),
        }).start();
        const slow = rpc(unique(), { request: anything, response: anything });
        let hold = true;
        await service.serve(slow, async () => {
          await until(() => !hold, { what: 'the release', timeoutMs: 20_000 });
          return { done: true };
        });
        const topic = unique();
        const got = new Set<string>();
        await link.transport.subscribe(topic, durable('g'), (message) => {
          got.add(text(message));
          message.settle?.('ack');
        });
        const calls = Array.from({ length: 10 }, () => rejection(client.client(slow).call({})));
        await until(() => service.counters.served === 10, { what: 'ten calls at the service' });
        const all = Array.from({ length: 300 }, (_, i) => String(i));
        const sent = all.map((one) => link.transport.publish(topic, bytes(one), surely));
        await server.kill9();
        for (const error of await Promise.all(calls))
          expect(error).toMatchObject({ code: 'CONNECTION_LOST' });
        await server.restart();
        hold = false;
        await Promise.all(sent);
        await until(() => got.size === 300, { what: 'every message' });
        await until(() => client.status.state === 'ready' && service.status.state === 'ready', {
          what: 'ready again',
        });
        expect(await client.client(slow).call({})).toEqual({ done: true });
      }, 90_000);

      test('close while the server is silent keeps to its deadline and settles everything', async () => {
        await using proxy = await startProxy(server.port);
        const link = await connected(through(proxy, server.url));
        const topic = unique();
        await link.transport.subscribe(topic, durable('g'), () => {});
        await link.transport.serve(unique(), { maxInFlight: 1 }, () => {});
        proxy.pause();
        const sending = rejection(link.transport.publish(topic, bytes('x'), surely));
        const begun = performance.now();
        await link.transport.close({ deadlineMs: 400 });
        expect(performance.now() - begun).toBeLessThan(5_000);
        expect(await sending).toMatchObject({ code: 'CLOSED' });
        expect(link.transport.status.state).toBe('closed');
      });
    });
  },
  { own: true },
);
