import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  freePort,
  makeCertificates,
  type RabbitmqBroker,
  sharedRabbitmq,
  startRabbitmq,
  until,
} from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { connected, rejection } from './links.js';

const once = { failFast: true };

describeOn('rabbitmq', () => {
  let url: string;
  beforeAll(async () => {
    url = (await sharedRabbitmq()).url;
  });

  test('a wrong password is told, for good, and not shown', async () => {
    const wrong = url.replace(/\/\/[^@]*@/, '//guest:very-secret@');
    const error = await rejection(connected(wrong, {}, { failFast: false }));
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', permanent: true });
    expect(JSON.stringify([String(error), (error as Error).stack])).not.toContain('very-secret');
  });

  test('an unknown virtual host is told, for good', async () => {
    const error = await rejection(connected(url, { vhost: 'nowhere/at all' }));
    expect(error).toMatchObject({ code: 'NOT_AUTHORIZED', permanent: true });
    expect(String(error)).toMatch(/virtual host/);
  });

  test('a port where nobody listens, and a server that never answers', async () => {
    const port = await freePort();
    expect(await rejection(connected(`amqp://127.0.0.1:${port}`, {}, once))).toMatchObject({
      code: 'CONNECTION_REFUSED',
    });
    const silent = createServer(() => {}).listen(port, '127.0.0.1');
    const begun = performance.now();
    expect(
      await rejection(connected(`amqp://127.0.0.1:${port}`, { connectTimeoutMs: 300 }, once)),
    ).toMatchObject({ code: 'CONNECTION_TIMEOUT' });
    expect(performance.now() - begun).toBeLessThan(5000);
    silent.close();
  });

  test('the connection is given up in time when closed while connecting', async () => {
    const port = await freePort();
    const silent = createServer((socket) => socket.resume()).listen(port, '127.0.0.1');
    const signal = AbortSignal.timeout(100);
    const begun = performance.now();
    const error = await rejection(connected(`amqp://127.0.0.1:${port}`, {}, { signal }));
    expect(error).toMatchObject({ code: 'ABORTED' });
    expect(performance.now() - begun).toBeLessThan(5000);
    await new Promise((resolve) => silent.close(resolve));
  });

  test('of several hosts the first that answers is taken, and another one when it is gone', async () => {
    const nobody = `amqp://127.0.0.1:${await freePort()}`;
    const port = Number(new URL(url).port);
    await using first = await startProxy(port);
    await using second = await startProxy(port);
    await using link = await connected([nobody, through(first, url), through(second, url)]);
    expect(first.open).toBe(1);
    await first.refuse();
    await until(() => second.open === 1 && link.transport.status.state === 'ready', {
      what: 'the connection to the second',
    });
  });

  test('when all hosts refuse, one that may yet let us in keeps the attempts going', async () => {
    const wrong = url.replace(/\/\/[^@]*@/, '//guest:wrong@');
    const nobody = `amqp://127.0.0.1:${await freePort()}`;
    expect(await rejection(connected([wrong, nobody], {}, once))).toMatchObject({
      code: 'CONNECTION_REFUSED',
      permanent: false,
    });
  });

  test('closing ends the connection at the broker, and a second close waits for the first', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    const link = await connected(through(proxy, url));
    expect(proxy.open).toBe(1);
    await Promise.all([
      link.transport.close({ deadlineMs: 2000 }),
      link.transport.close({ deadlineMs: 2000 }),
    ]);
    await until(() => proxy.open === 0, { what: 'the end of the connection' });
    expect(link.states().at(-1)).toBe('closed');
    expect(await rejection(link.transport.publish('a', new Uint8Array()))).toMatchObject({ code: 'CLOSED' });
  });

  test('closing over a dead link takes no longer than it may', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    const link = await connected(through(proxy, url));
    proxy.pause();
    const begun = performance.now();
    await link.transport.close({ deadlineMs: 300 });
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describeOn(
  'rabbitmq',
  () => {
    let broker: RabbitmqBroker;
    let certificates: Certificates;
    let tlsUrl: string;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      broker = await startRabbitmq({ tls: { ...server, ca } });
      tlsUrl = broker.tlsUrl ?? '';
    });
    afterAll(async () => {
      await broker?.stop();
      await certificates?.dispose();
    });

    describe('with TLS', () => {
      test('a private authority is trusted when given', async () => {
        await using link = await connected(tlsUrl, { tls: { ca: certificates.ca } });
        expect(link.transport.status.state).toBe('ready');
      });

      test('another authority is not, and the error says so, for good', async () => {
        for (const tls of [{ ca: certificates.wrongCa }, {}]) {
          expect(await rejection(connected(tlsUrl, { tls }))).toMatchObject({
            code: 'TLS_UNTRUSTED',
            permanent: true,
          });
        }
      });

      test('a certificate for another name is told apart from that', async () => {
        const tls = { ca: certificates.ca, servername: 'elsewhere.example' };
        expect(await rejection(connected(tlsUrl, { tls }))).toMatchObject({
          code: 'TLS_HOSTNAME',
          permanent: true,
        });
      });

      test('TLS where there is none', async () => {
        const plainPort = broker.url.replace('amqp:', 'amqps:');
        expect(await rejection(connected(plainPort, { tls: { ca: certificates.ca } }, once))).toMatchObject({
          code: 'TLS_FAILED',
        });
      });
    });
  },
  { own: true },
);
