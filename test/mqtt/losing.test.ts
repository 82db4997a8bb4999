import { expect, test, vi } from 'vitest';
import { describeOn, startMosquitto, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, lossy, rejection, settles, text, unique } from './links.js';

// Each of these tests starts a broker of its own.
vi.setConfig({ testTimeout: 90_000 });

describeOn(
  'mosquitto',
  () => {
    test.for([5, 4] as const)(
      'MQTT %i: the broker is killed and restarted twice: streams, services and inbox go on by themselves',
      async (version) => {
        await using broker = await startMosquitto({ own: true });
        await using client = await connected(broker.url, { version });
        await using server = await connected(broker.url, { version });
        const topic = unique();
        const got: string[] = [];
        const answers: string[] = [];
        await client.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        await server.transport.serve('srv', { maxInFlight: 8 }, (request) => {
          server.transport.respond(request, { replyTo: text(request) }, bytes('answer')).catch(() => {});
        });
        const inbox = await client.transport.openInbox({}, (reply) =>
          answers.push(reply.correlationId ?? ''),
        );
        for (let round = 1; round <= 2; round++) {
          await broker.kill9();
          await until(() => client.transport.status.state === 'reconnecting', { what: 'the loss' });
          const kept = server.transport.publish(topic, bytes(`kept ${round}`), { delivery: 'at-least-once' });
          await broker.restart();
          await until(() => [client, server].every((one) => one.transport.status.state === 'ready'), {
            what: 'both back',
          });
          await kept;
          await server.transport.publish(topic, bytes(`live ${round}`), { delivery: 'at-least-once' });
          await until(() => got.includes(`live ${round}`), { what: 'the stream' });
          const target = inbox.claim();
          await inbox.send('srv', bytes(target.replyTo), target);
          await until(() => answers.includes(target.correlationId), { what: 'the answer' });
        }
        expect(client.transport.status).toMatchObject({ state: 'ready', reconnects: 2 });
        const lost = client.events.find(
          (event) => event.type === 'status' && event.status.state === 'reconnecting',
        );
        expect(lost).toMatchObject({ status: { error: { code: 'CONNECTION_LOST' } } });
      },
    );

    test('a half-open link is noticed by the keep-alive; what was under way is settled', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      await using link = await connected(through(proxy, broker.url), {
        keepaliveMs: 1000,
        connectTimeoutMs: 1000,
      });
      const inbox = await link.transport.openInbox({}, () => {});
      proxy.pause();
      const request = rejection(inbox.send('nobody', bytes('x'), inbox.claim()));
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      expect(await request).toMatchObject({ code: 'CONNECTION_LOST' });
      proxy.resume();
      await until(() => link.transport.status.state === 'ready', { what: 'ready again' });
    });

    test.for([5, 4] as const)('MQTT %i: requests are never kept for later', async (version) => {
      await using broker = await startMosquitto({ own: true });
      await using link = await connected(broker.url, { version });
      const inbox = await link.transport.openInbox({}, () => {});
      await broker.kill9();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      expect(await rejection(inbox.send('srv', bytes('x'), inbox.claim()))).toMatchObject({
        code: 'NOT_CONNECTED',
      });
      await broker.restart();
    });

    test('closing while offline, with messages unconfirmed: in time, everything settled, nothing left open', async () => {
      await using broker = await startMosquitto({ own: true });
      const before = sockets();
      const link = await connected(broker.url);
      const inbox = await link.transport.openInbox({}, () => {});
      await broker.kill9();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      const kept = rejection(link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' }));
      const joining = rejection(link.transport.subscribe('a', lossy, () => {}));
      const start = Date.now();
      await link.transport.close({ deadlineMs: 300 });
      expect(Date.now() - start).toBeLessThan(5000);
      expect(await kept).toMatchObject({ code: 'CLOSED' });
      expect(await joining).toMatchObject({ code: 'CLOSED' });
      expect(await rejection(link.transport.publish('a', bytes('x')))).toMatchObject({ code: 'CLOSED' });
      expect(await rejection(inbox.send('a', bytes('x'), inbox.claim()))).toMatchObject({ code: 'CLOSED' });
      expect(await rejection(link.transport.subscribe('a', lossy, () => {}))).toMatchObject({
        code: 'CLOSED',
      });
      expect(link.transport.status.state).toBe('closed');
      await until(() => sockets() <= before, { what: 'no socket left' });
      await broker.restart();
    });

    test('closing on a half-open link: never longer than the deadline, everything settled', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      const link = await connected(through(proxy, broker.url));
      proxy.pause();
      const pending = rejection(link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' }));
      const subscribing = rejection(link.transport.subscribe('a', lossy, () => {}));
      const start = Date.now();
      await link.transport.close({ deadlineMs: 300 });
      expect(Date.now() - start).toBeLessThan(5000);
      expect(await pending).toMatchObject({ code: 'CLOSED' });
      expect(await settles(subscribing, 5000)).toBe(true);
    });

    test('closing while the clock is put back: still in time', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      const link = await connected(through(proxy, broker.url));
      proxy.pause();
      const pending = rejection(link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' }));
      const closing = link.transport.close({ deadlineMs: 300 });
      const clock = vi.spyOn(Date, 'now').mockReturnValue(0);
      try {
        expect(await settles(closing, 5000)).toBe(true);
      } finally {
        clock.mockRestore();
      }
      expect(await pending).toMatchObject({ code: 'CLOSED' });
    });

    test('closing flushes what was accepted', async () => {
      await using broker = await startMosquitto({ own: true, config: ['max_queued_messages 0'] });
      await using to = await connected(broker.url);
      const got = new Set<string>();
      await to.transport.subscribe('t', { ...lossy, native: { mqtt: { qos: 1 } } }, (message) =>
        got.add(text(message)),
      );
      const from = await connected(broker.url);
      const all = Array.from({ length: 2000 }, (_, i) =>
        from.transport.publish('t', bytes(String(i)), { delivery: 'at-least-once' }),
      );
      // At most once too: handed to the connection before the goodbye.
      for (let i = 2000; i < 2100; i++) void from.transport.publish('t', bytes(String(i)));
      await from.transport.close({ deadlineMs: 20_000 });
      await Promise.all(all);
      await until(() => got.size === 2100, { what: 'all messages' });
    });

    test('closing without a limit waits for what was accepted', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      const link = await connected(through(proxy, broker.url));
      proxy.latency(30);
      const publishing = link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' });
      await link.transport.close({ deadlineMs: Number.POSITIVE_INFINITY });
      await publishing;
    });

    test('closing before, during and twice', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      proxy.pause();
      const attempt = connected(through(proxy, broker.url), { connectTimeoutMs: 5000 }, { timeoutMs: 300 });
      expect(await rejection(attempt)).toMatchObject({ code: 'TIMEOUT' });
      const aborted = new AbortController();
      const other = rejection(connected(through(proxy, broker.url), {}, { signal: aborted.signal }));
      aborted.abort(new Error('enough'));
      expect(await other).toMatchObject({ code: 'ABORTED' });
      proxy.resume();
      const link = await connected(broker.url);
      await Promise.all([
        link.transport.close({ deadlineMs: 1000 }),
        link.transport.close({ deadlineMs: 1000 }),
      ]);
      expect(link.states()).toEqual(['connecting', 'ready', 'closed']);
    });

    test('an abort ends the waiting for a confirmation', async () => {
      await using broker = await startMosquitto({ own: true });
      await using proxy = await startProxy(broker.port);
      await using link = await connected(through(proxy, broker.url));
      await proxy.refuse();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      const abort = new AbortController();
      const waiting = rejection(
        link.transport.publish('a', bytes('x'), { delivery: 'at-least-once', signal: abort.signal }),
      );
      abort.abort();
      expect(await waiting).toMatchObject({ code: 'ABORTED' });
      await proxy.accept();
    });
  },
  { own: true },
);

/** Open TCP connections of this process. */
function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'TCPWRAP')
    .length;
}
