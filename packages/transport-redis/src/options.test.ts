import { CommlibError } from '@commlib/core';
import { describe, expect, test } from 'vitest';
import { clientOptions } from './client-options.js';
import { endpoint, type RedisOptions, resolveOptions } from './options.js';

const refusal = (url: string, options: RedisOptions = {}): string => {
  try {
    resolveOptions(url, options);
  } catch (error) {
    if (CommlibError.is(error, 'UNSUPPORTED')) return error.message;
    throw error;
  }
  throw new Error('not refused');
};

describe('options of a connection to Redis', () => {
  test('the URL, taken apart', () => {
    expect(resolveOptions('redis://bot:p%40ss@host:7000/3', {})).toMatchObject({
      target: 'redis://host:7000',
      host: 'host',
      port: 7000,
      username: 'bot',
      password: 'p@ss',
      db: 3,
      tls: undefined,
    });
    expect(resolveOptions('rediss://[::1]', {})).toMatchObject({ host: '::1', port: 6379, db: 0, tls: {} });
    expect(resolveOptions('unix:///run/a%20b.sock?db=2', {})).toMatchObject({ path: '/run/a b.sock', db: 2 });
    expect(resolveOptions('redis+unix:///run/redis.sock', { password: 'pw' })).toMatchObject({
      password: 'pw',
      tls: undefined,
    });
  });

  test('options come before the URL', () => {
    const options = { username: 'a', password: 'b', db: 1 };
    expect(resolveOptions('redis://x:y@host/2', options)).toMatchObject(options);
  });

  test('the port of a sentinel, and more nodes', () => {
    const { sentinel } = resolveOptions('redis://s1', {
      sentinel: { name: 'main', nodes: ['s2', '[::1]:5'] },
    });
    expect(sentinel?.endpoints).toEqual([
      { host: 's1', port: 26_379 },
      { host: 's2', port: 26_379 },
      { host: '::1', port: 5 },
    ]);
    const { cluster } = resolveOptions('redis://n1', { cluster: { nodes: ['n2:7001'] } });
    expect(cluster?.endpoints).toEqual([
      { host: 'n1', port: 6379 },
      { host: 'n2', port: 7001 },
    ]);
  });

  test.for([
    ['http://host', {}],
    ['nonsense', {}],
    ['redis://user:secret/word@host', {}],
    ['redis://user:secret#word@host', {}],
    ['redis://host/two', {}],
    ['redis://host?x=secret', {}],
    ['unix://host/run/redis.sock', {}],
    ['unix:///', {}],
    ['redis://host', { tls: { ca: 'secret' } }],
    ['redis://host/1', { cluster: true }],
    ['unix:///run/redis.sock', { cluster: true }],
    ['redis://host', { cluster: true, sentinel: { name: 'main' } }],
    ['redis://host', { db: -1 }],
  ] as const)('%s with %j is refused, and the URL not shown', ([url, options]) => {
    const message = refusal(url, options);
    expect(message).not.toContain('secret');
    expect(message).toMatch(/^(the server URL|tls without rediss:\/\/):/);
  });

  test('numbers that are none are refused where they are given', () => {
    for (const wrong of [
      { maxPatterns: 0 },
      { claimIdleMs: -1 },
      { maxBuffered: 1.5 },
      { maxLength: 0 },
      { keepaliveMs: Number.NaN },
    ])
      expect(() => resolveOptions('redis://host', wrong)).toThrow(RangeError);
  });

  test('the client neither queues, resends, resubscribes nor reconnects', () => {
    const options = clientOptions(resolveOptions('redis://host', {}), undefined);
    expect(options).toMatchObject({
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      retryStrategy: null,
      lazyConnect: true,
    });
  });

  test('an IP address is no server name for TLS', () => {
    expect(clientOptions(resolveOptions('rediss://10.0.0.1', {}), undefined).tls).toEqual({});
    expect(clientOptions(resolveOptions('rediss://host', {}), undefined).tls).toEqual({ servername: 'host' });
    expect(endpoint('host:1', 2)).toEqual({ host: 'host', port: 1 });
  });
});
