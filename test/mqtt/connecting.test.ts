import { createServer, connect as dial } from 'node:net';
import { CommlibError } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  freePort,
  type MqttBroker,
  makeCertificates,
  startEmbedded,
  startMosquitto,
  until,
} from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, lossy, rejection, text, unique } from './links.js';

const connecting = { timeoutMs: 10_000, failFast: false, onEvent: () => {} };

/** Everything an error says, causes included. */
function said(error: unknown): string {
  const parts: string[] = [];
  for (let one = error; one instanceof Error; one = one.cause) {
    parts.push(one.message, String(one.stack));
    if (CommlibError.is(one)) parts.push(JSON.stringify(one.context));
  }
  return parts.join('\n');
}

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({ own: true, users: { bot: 'right-pa/ss' }, websockets: true });
    });
    afterAll(() => broker?.stop());

    test.for([5, 4] as const)(
      'MQTT %i: a wrong password ends at once, says so, and shows no credential',
      async (version) => {
        const url = broker.url.replace('://', '://bot:wrong-secret@');
        const transport = mqtt(url, { version });
        const error = await rejection(transport.connect(connecting));
        expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', permanent: true });
        expect(String(error)).toContain(`127.0.0.1:${broker.port}`);
        expect(String(error)).toMatch(/password/);
        expect(said(error)).not.toContain('wrong-secret');
        expect(transport.status.state).toBe('closed');
        await transport.close({ deadlineMs: 100 });
      },
    );

    test('user and password from the URL, percent-encoded, or from the options', async () => {
      await using a = await connected(broker.url.replace('://', '://bot:right-pa%2Fss@'));
      await using b = await connected(broker.url, { username: 'bot', password: 'right-pa/ss' });
      expect([a, b].map((one) => one.transport.status.state)).toEqual(['ready', 'ready']);
    });

    test('the same over a WebSocket', async () => {
      const url = (broker.wsUrl ?? '').replace('://', '://bot:right-pa%2Fss@');
      await using link = await connected(url);
      const got: string[] = [];
      const topic = unique();
      await link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
      await link.transport.publish(topic, bytes('x'.repeat(3_000)), { delivery: 'at-least-once' });
      await until(() => got.length === 1, { what: 'the message' });
      expect(got[0]?.length).toBe(3_000);
      const wrong = mqtt((broker.wsUrl ?? '').replace('://', '://bot:no@'));
      expect(await rejection(wrong.connect(connecting))).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    });

    test.for([5, 4] as const)(
      'MQTT %i: two connections of one client id: both say what is going on, neither spins',
      async (version) => {
        const options = {
          version,
          clientId: unique(),
          username: 'bot',
          password: 'right-pa/ss',
          backoff: { minMs: 5, maxMs: 400 },
        };
        await using a = await connected(broker.url, options);
        await using b = await connected(broker.url, options);
        const complaint = () =>
          [...a.events, ...b.events].some(
            (event) =>
              event.type === 'status' &&
              event.status.state === 'reconnecting' &&
              event.status.error.message.includes('client id'),
          );
        await until(complaint, { what: 'the explanation' });
        const count = () => a.events.length + b.events.length;
        const before = count();
        const start = Date.now();
        await until(() => Date.now() - start > 500, { what: 'half a second' });
        expect(count() - before).toBeLessThan(40);
      },
    );

    test('a port that closes every connection until the broker is up, as a container’s does: version 5 all the same', async () => {
      const port = await freePort();
      let closed = 0;
      const door = createServer((socket) => {
        closed++;
        socket.destroy();
      });
      await new Promise<void>((resolve) => door.listen(port, '127.0.0.1', resolve));
      // Its time runs while the broker is started.
      const attempt = connected(`mqtt://127.0.0.1:${port}`, {}, { timeoutMs: 60_000 });
      attempt.catch(() => {});
      await until(() => closed >= 3, { what: 'three connections closed' });
      await new Promise((resolve) => door.close(resolve));
      await using _broker = await startMosquitto({ own: true, port });
      await using link = await attempt;
      expect(link.transport.capabilities.headers).toContain('at-most-once');
    }, 90_000);

    test('a broker that begins to answer just after version 5 was tried speaks it all the same', async () => {
      let connections = 0;
      const port = await freePort();
      const door = createServer((socket) => {
        if (++connections === 1) {
          socket.destroy();
          return;
        }
        const on = dial(Number(new URL(broker.url).port), '127.0.0.1');
        for (const end of [socket, on]) end.on('error', () => {});
        socket.pipe(on).pipe(socket);
      });
      await new Promise<void>((resolve) => door.listen(port, '127.0.0.1', resolve));
      try {
        const auth = { username: 'bot', password: 'right-pa/ss' };
        await using link = await connected(`mqtt://127.0.0.1:${port}`, auth);
        expect(link.transport.capabilities.headers).toContain('at-most-once');
        expect(connections).toBe(3);
      } finally {
        await new Promise((resolve) => door.close(resolve));
      }
    });

    test('the will is published when the connection dies, and not after a goodbye', async () => {
      const auth = { username: 'bot', password: 'right-pa/ss' };
      await using watcher = await connected(broker.url, auth);
      const topic = unique();
      const got: string[] = [];
      await watcher.transport.subscribe(`${topic}/+`, lossy, (message) => got.push(text(message)));
      const will = (payload: string) => ({ topic: `${topic}.will`, payload, qos: 1 as const });
      const polite = await connected(broker.url, { ...auth, will: will('polite'), clientId: `${topic}p` });
      await polite.transport.close({ deadlineMs: 1000 });
      // Taking its client id over ends a connection without a goodbye.
      await using dying = await connected(broker.url, {
        ...auth,
        will: will('dying'),
        clientId: `${topic}d`,
        version: 4,
      });
      await using _killer = await connected(broker.url, { ...auth, clientId: `${topic}d`, version: 4 });
      await until(() => got.length > 0, { what: 'the will' });
      expect(got).not.toContain('polite');
      await dying.transport.close({ deadlineMs: 1000 });
    });
  },
  { own: true },
);

describeOn(
  'mosquitto',
  () => {
    let certificates: Certificates;
    let broker: MqttBroker;
    let strict: MqttBroker;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      broker = await startMosquitto({ own: true, tls: { ...server }, websockets: true });
      strict = await startMosquitto({ own: true, tls: { ...server, ca, requireClientCertificate: true } });
    });
    afterAll(async () => {
      await broker?.stop();
      await strict?.stop();
      await certificates?.dispose();
    });

    test('TLS with a private authority', async () => {
      await using link = await connected(broker.url, { tls: { ca: certificates.ca } });
      await link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' });
    });

    test('the same over WebSocket', async () => {
      const url = broker.wsUrl ?? '';
      await using link = await connected(url, { tls: { ca: certificates.ca } });
      await link.transport.publish('a', bytes('x'), { delivery: 'at-least-once' });
      for (const [tls, code] of [
        [{}, 'TLS_UNTRUSTED'],
        [{ ca: certificates.ca, servername: 'elsewhere.example' }, 'TLS_HOSTNAME'],
      ] as const) {
        expect(await rejection(mqtt(url, { tls }).connect(connecting))).toMatchObject({
          code,
          permanent: true,
        });
      }
    });

    test.for([
      ['no authority', () => ({}), 'TLS_UNTRUSTED'],
      ['another authority', () => ({ ca: certificates.wrongCa }), 'TLS_UNTRUSTED'],
      ['another host name', () => ({ ca: certificates.ca, servername: 'elsewhere.example' }), 'TLS_HOSTNAME'],
      ['an authority that is none', () => ({ ca: 'nonsense', cert: 'x', key: 'y' }), 'TLS_FAILED'],
    ] as const)('TLS with %s ends at once and says so', async ([_what, tls, code]) => {
      const start = Date.now();
      const error = await rejection(mqtt(broker.url, { tls: tls() }).connect(connecting));
      expect(error).toMatchObject({ code, permanent: true });
      expect(String(error)).toContain(`mqtts://localhost:${broker.port}`);
      expect(Date.now() - start).toBeLessThan(5000);
    });

    test('a client certificate is used; without one, or with a stranger’s, the broker refuses', async () => {
      const { ca, client, strangeClient } = certificates;
      await using link = await connected(strict.url, { tls: { ca, ...client } });
      expect(link.transport.status.state).toBe('ready');
      for (const tls of [{ ca }, { ca, ...strangeClient }]) {
        const error = await rejection(mqtt(strict.url, { tls }).connect({ ...connecting, timeoutMs: 3000 }));
        expect(error).toMatchObject({ code: 'TLS_FAILED', permanent: true });
        expect(String(error)).toContain('client certificate');
      }
    });

    test('TLS to a port without it, and the reverse', async () => {
      await using plain = await startMosquitto({ own: true });
      const tls = mqtt(`mqtts://127.0.0.1:${plain.port}`);
      const error = await rejection(tls.connect({ ...connecting, failFast: true }));
      expect(String(error)).toMatch(/TLS/);
      const noTls = mqtt(`mqtt://localhost:${broker.port}`);
      expect(await rejection(noTls.connect({ ...connecting, failFast: true }))).toBeInstanceOf(Error);
    }, 90_000);
  },
  { own: true },
);

describe('version and reachability', () => {
  test('a broker of 3.1.1 only: found out once, remembered for the next connection', async () => {
    await using broker = await startEmbedded();
    await using proxy = await startProxy(broker.port);
    await using link = await connected(through(proxy, broker.url));
    expect(link.transport.capabilities.headers).toMatchObject({ missing: expect.stringContaining('3.1.1') });
    // One connection was refused, one taken.
    expect(proxy.accepted).toBe(2);
    proxy.cut();
    await until(() => link.states().filter((state) => state === 'ready').length === 2, {
      what: 'ready again',
    });
    expect(proxy.accepted).toBe(3);
    const error = await rejection(mqtt(broker.url, { version: 5 }).connect(connecting));
    expect(error).toMatchObject({ code: 'PROTOCOL_REFUSED', permanent: true });
  });

  test('nobody listens: the first attempt is enough when asked, else it goes on until the time is over', async () => {
    const url = `mqtt://127.0.0.1:${await freePort()}`;
    expect(await rejection(mqtt(url).connect({ ...connecting, failFast: true }))).toMatchObject({
      code: 'CONNECTION_REFUSED',
    });
    const late = await rejection(mqtt(url).connect({ ...connecting, timeoutMs: 500 }));
    expect(late).toMatchObject({ code: 'TIMEOUT' });
    expect(String(late)).toContain('nobody listens');
  });

  test('a broker that comes up later is found', async () => {
    const port = await freePort();
    const attempt = connected(`mqtt://127.0.0.1:${port}`);
    await using _broker = await startEmbedded({ port });
    await using link = await attempt;
    expect(link.transport.status.state).toBe('ready');
  });

  test.for(['http://localhost', 'nonsense', 'mqtt://', 'redis://h'])('%s is refused as a URL', (url) => {
    expect(() => mqtt(url)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });
});
