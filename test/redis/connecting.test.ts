import { redis } from '@commlib/transport-redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  freePort,
  makeCertificates,
  type RedisServer,
  startRedis,
  until,
} from '../brokers/index.js';
import {
  bytes,
  connected,
  connecting,
  durable,
  lossy,
  rejection,
  said,
  surely,
  text,
  unique,
} from './links.js';

describeOn(
  'redis',
  () => {
    describe('connecting to Redis', () => {
      let server: RedisServer;
      let certificates: Certificates;
      beforeAll(async () => {
        certificates = await makeCertificates();
        server = await startRedis({
          password: 'right-pa/ss',
          users: [
            'alice on >alice-secret ~* &* +@all',
            'reader on >reader-secret ~allowed:* &allowed.* +@all -publish',
            'bare on >bare-secret ~* &* +@all -time -client -eval',
          ],
          tls: { cert: certificates.server.cert, key: certificates.server.key, ca: certificates.ca },
          unixSocket: true,
        });
      });
      afterAll(async () => {
        await server?.stop();
        await certificates?.dispose();
      });

      const fails = async (url: string, options: Parameters<typeof redis>[1] = {}) => {
        const transport = redis(url, options);
        const error = await rejection(transport.connect(connecting));
        expect(transport.status.state).toBe('closed');
        await transport.close({ deadlineMs: 100 });
        return error;
      };
      const login = (user: string) => server.url.replace(/\/\/.*@/, `//${user}@`);

      /** A message there and back. */
      const works = async (url: string, options: Parameters<typeof redis>[1] = {}) => {
        await using link = await connected(url, options);
        const [topic, lasting] = [unique(), unique()];
        const got: string[] = [];
        await link.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
        await link.transport.subscribe(lasting, durable('g'), (message) => {
          got.push(text(message));
          message.settle?.('ack');
        });
        await link.transport.publish(topic, bytes('one'));
        await link.transport.publish(lasting, bytes('two'), surely);
        await until(() => got.length === 2, { what: 'both messages' });
      };

      test.for([
        ['a wrong password', ':wrong-secret', 'AUTHENTICATION_FAILED'],
        ['an unknown user', 'nobody:wrong-secret', 'AUTHENTICATION_FAILED'],
        ['no password', '', 'AUTHENTICATION_FAILED'],
      ] as const)('%s ends at once, says so, and shows no credential', async ([, user, code]) => {
        const error = await fails(login(user));
        expect(error).toMatchObject({ code, permanent: true });
        expect(String(error)).toContain(`127.0.0.1:${server.port}`);
        expect(said(error)).not.toContain('wrong-secret');
      });

      test('user and password from the URL, percent-encoded, or from the options; ACL users', async () => {
        await works(login(':right-pa%2Fss'));
        await works(login(''), { password: 'right-pa/ss' });
        await works(login('alice:alice-secret'));
        await works(login(''), { username: 'alice', password: 'alice-secret' });
      });

      test('a user who may not ask for the time, nor wake a read, is served all the same', async () => {
        await works(login('bare:bare-secret'));
      });

      test('what the ACL forbids is told where it was asked for, and the connection goes on', async () => {
        await using link = await connected(login('reader:reader-secret'));
        const { transport } = link;
        const forbidden = { code: 'NOT_AUTHORIZED' };
        expect(await rejection(transport.subscribe('forbidden', lossy, () => {}))).toMatchObject(forbidden);
        expect(await rejection(transport.subscribe('forbidden', durable('g'), () => {}))).toMatchObject(
          forbidden,
        );
        expect(await rejection(transport.serve('forbidden', { maxInFlight: 1 }, () => {}))).toMatchObject(
          forbidden,
        );
        expect(await rejection(transport.publish('forbidden', bytes('x'), surely))).toMatchObject(forbidden);
        await transport.publish('allowed.x', bytes('x'));
        await until(
          () =>
            link.events.some((event) => event.type === 'dropped' && event.error.code === 'NOT_AUTHORIZED'),
          {
            what: 'the report of the message that was refused',
          },
        );
        await transport.subscribe('allowed.x', lossy, () => {});
        expect(transport.status.state).toBe('ready');
      });

      test('ACL patterns are taken literally: filters that are allowed one by one are not covered by a wider one', async () => {
        await using admin = new RedisAdmin(server.url);
        const filters = Array.from({ length: 6 }, (_, i) => `acl.${i}.*`);
        await admin.client.call(
          'ACL',
          'SETUSER',
          'narrow',
          'on',
          '>narrow-secret',
          '~*',
          '+@all',
          'resetchannels',
          ...filters.map((one) => `&${one}`),
        );
        await using link = await connected(login('narrow:narrow-secret'), { maxPatterns: 3 });
        const got: string[] = [];
        for (const filter of filters)
          await link.transport.subscribe(filter, lossy, (message) => got.push(message.address));
        for (let i = 0; i < 6; i++) await admin.client.publish(`acl.${i}.x`, 'x');
        await until(() => got.length === 6, { what: 'one message for each' });
        expect(new Set(got).size).toBe(6);
      });

      test('the database of the URL, or of the options; one that is not there is told', async () => {
        await using admin = new RedisAdmin(server.url);
        const keysIn = async (db: number) => {
          await admin.client.select(db);
          return admin.client.keys('stream:*');
        };
        const topic = unique();
        await using two = await connected(`${server.url}/2`);
        await two.transport.publish(topic, bytes('x'), surely);
        await using three = await connected(server.url, { db: 3 });
        await three.transport.publish(topic, bytes('x'), surely);
        expect(await keysIn(0)).not.toContain(`stream:${topic}`);
        expect(await keysIn(2)).toEqual([`stream:${topic}`]);
        expect(await keysIn(3)).toEqual([`stream:${topic}`]);
        expect(await fails(`${server.url}/99`)).toMatchObject({ code: 'PROTOCOL_REFUSED', permanent: true });
      });

      test('a Unix socket', async () => {
        if (server.socketPath === undefined) throw new Error('the server has no socket');
        await works(`unix://${server.socketPath}`, { password: 'right-pa/ss' });
        expect(await fails('unix:///nowhere/redis.sock')).toMatchObject({
          code: 'CONNECTION_REFUSED',
          permanent: false,
        });
      });

      test('nobody listens, or the host is unknown', async () => {
        const port = await freePort();
        expect(await fails(`redis://127.0.0.1:${port}`)).toMatchObject({
          code: 'CONNECTION_REFUSED',
          permanent: false,
        });
        // A resolver asks a second time after 5 s.
        expect(await fails('redis://no-such-host.invalid', { connectTimeoutMs: 15_000 })).toMatchObject({
          code: 'HOST_NOT_FOUND',
        });
      });

      test('TLS with a private authority, by name and by address', async () => {
        if (server.tlsUrl === undefined) throw new Error('the server has no TLS');
        const tls = { ca: certificates.ca, cert: certificates.client.cert, key: certificates.client.key };
        await works(server.tlsUrl, { tls });
        await works(server.tlsUrl.replace('localhost', '127.0.0.1'), {
          tls: { ca: Buffer.from(certificates.ca) },
        });
      });

      test('TLS with the wrong authority, the wrong name, and without TLS at the port: each says which', async () => {
        if (server.tlsUrl === undefined) throw new Error('the server has no TLS');
        expect(await fails(server.tlsUrl, { tls: { ca: certificates.wrongCa } })).toMatchObject({
          code: 'TLS_UNTRUSTED',
          permanent: true,
        });
        expect(await fails(server.tlsUrl)).toMatchObject({ code: 'TLS_UNTRUSTED' });
        const tls = { ca: certificates.ca, servername: 'redis.example' };
        expect(await fails(server.tlsUrl, { tls })).toMatchObject({ code: 'TLS_HOSTNAME', permanent: true });
        const quick = { tls: { ca: certificates.ca }, connectTimeoutMs: 400 };
        const silent = await fails(server.url.replace('redis:', 'rediss:'), quick);
        expect(silent).toMatchObject({ code: 'CONNECTION_TIMEOUT' });
        expect(String(silent)).toContain('is TLS spoken at this port?');
        const plain = await fails(server.tlsUrl.replace('rediss:', 'redis:'), { connectTimeoutMs: 5_000 });
        expect(String(plain)).toContain('does it want TLS');
      });

      test('a server without a password, given one: it works, as the server does not mind', async () => {
        await using open = await startRedis({ own: true });
        await using link = await connected(open.url, { username: 'default', password: 'whatever' });
        expect(link.transport.status.state).toBe('ready');
      }, 90_000);

      test('close while idle, while connecting and twice; what was pending is rejected', async () => {
        const idle = redis(server.url);
        await idle.close({ deadlineMs: 100 });
        const late = redis(`redis://127.0.0.1:${await freePort()}`);
        const attempt = rejection(late.connect({ ...connecting, failFast: false }));
        const subscribing = rejection(late.subscribe('x', lossy, () => {}));
        const lasting = rejection(late.subscribe('x', durable('g'), () => {}));
        await Promise.all([late.close({ deadlineMs: 100 }), late.close({ deadlineMs: 100 })]);
        expect(await attempt).toMatchObject({ code: 'CLOSED' });
        expect(await subscribing).toMatchObject({ code: 'CLOSED' });
        expect(await lasting).toMatchObject({ code: 'CLOSED' });
        expect(await rejection(late.publish('x', bytes('x')))).toMatchObject({ code: 'CLOSED' });
      });
    });
  },
  { own: true },
);

/** A plain client, ended with the test. */
class RedisAdmin implements AsyncDisposable {
  readonly client: Redis;
  constructor(url: string) {
    this.client = new Redis(url);
    this.client.on('error', () => {});
  }
  async [Symbol.asyncDispose]() {
    this.client.disconnect();
  }
}
