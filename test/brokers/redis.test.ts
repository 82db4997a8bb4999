import { Redis, type RedisOptions } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Certificates,
  describeOn,
  makeCertificates,
  type RedisServer,
  sharedRedis,
  startRedis,
} from './index.js';

/** Runs a command on a connection of its own, without a second try. */
async function ask<T>(
  url: string,
  work: (redis: Redis) => Promise<T>,
  options: RedisOptions = {},
): Promise<T> {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    ...options,
  });
  let reason: unknown;
  redis.on('error', (error) => {
    reason = error;
  });
  try {
    await redis.connect().catch((error) => {
      throw reason ?? error;
    });
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

describeOn('redis', () => {
  test('one server for the run', async () => {
    const shared = await sharedRedis();
    expect(await ask(shared.url, (redis) => redis.ping())).toBe('PONG');
    expect((await sharedRedis()).url).toBe(shared.url);
    expect(shared.version).toMatch(/^\d+\.\d+/);
  });
});

describeOn(
  'redis',
  () => {
    test('keeps its data over kill -9 and over SIGTERM with the append-only file, on the same port', async () => {
      await using server = await startRedis({ appendonly: 'always' });
      const first = server.pid;
      await ask(server.url, (redis) => redis.set('kept', '1'));
      await server.kill9();
      await expect(ask(server.url, (redis) => redis.ping())).rejects.toThrow(/ECONNREFUSED|closed|reset/i);
      await server.restart();
      expect(server.pid).not.toBe(first);
      expect(await ask(server.url, (redis) => redis.incr('kept'))).toBe(2);
      await server.restart('SIGTERM');
      expect(await ask(server.url, (redis) => redis.get('kept'))).toBe('2');
    }, 90_000);

    describe('with a password, ACL users, TLS, a socket and few databases', () => {
      let certificates: Certificates;
      let server: RedisServer;
      beforeAll(async () => {
        certificates = await makeCertificates();
        const { server: own, ca } = certificates;
        server = await startRedis({
          tls: { ...own, ca, requireClientCertificate: true },
          password: 'not "easy"',
          users: ['reader on >secret ~* &* -@all +@read +ping'],
          unixSocket: true,
          databases: 3,
          config: ['stream-node-max-entries 7'],
        });
      });
      afterAll(async () => {
        await server?.stop();
        await certificates?.dispose();
      });

      test('asks for the password and keeps to the ACL', async () => {
        expect(await ask(server.url, (redis) => redis.config('GET', 'stream-node-max-entries'))).toEqual([
          'stream-node-max-entries',
          '7',
        ]);
        await expect(ask(`redis://127.0.0.1:${server.port}`, (redis) => redis.ping())).rejects.toThrow(
          /NOAUTH/,
        );
        const reader = `redis://reader:secret@127.0.0.1:${server.port}`;
        expect(await ask(reader, (redis) => redis.get('x'))).toBeNull();
        await expect(ask(reader, (redis) => redis.set('x', '1'))).rejects.toThrow(/NOPERM/);
        await expect(ask(server.url, (redis) => redis.select(3))).rejects.toThrow(/out of range/);
      });

      test('answers over TLS to a client with a certificate of its CA, and is not trusted with another CA', async () => {
        const { ca, wrongCa, client } = certificates;
        const url = server.tlsUrl ?? '';
        expect(await ask(url, (redis) => redis.ping(), { tls: { ca, ...client } })).toBe('PONG');
        await expect(ask(url, (redis) => redis.ping(), { tls: { ca: wrongCa, ...client } })).rejects.toThrow(
          /unable to verify|self.signed|issuer|signature/i,
        );
      });

      test('answers on the Unix socket', async () => {
        const { password } = new URL(server.url);
        const path = server.socketPath ?? '';
        const options = { password: decodeURIComponent(password) };
        expect(await ask(path, (redis) => redis.ping(), options)).toBe('PONG');
      });
    });
  },
  { own: true },
);
