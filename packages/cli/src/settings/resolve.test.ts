import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Given } from './given.js';
import { resolveSettings, targetOf } from './resolve.js';

const resolve = (...sources: Given[]) =>
  resolveSettings(
    sources.map((given, i) => ({ name: ['the flags', 'the environment', 'the file'][i] ?? '', given })),
  );

describe('where the broker is', () => {
  test.each<[Given[], string]>([
    [[{}], 'mqtt://localhost:1883'],
    [[{ host: 'a' }], 'mqtt://a:1883'],
    [[{ host: '::1' }], 'mqtt://[::1]:1883'],
    [[{ host: '[::1]' }], 'mqtt://[::1]:1883'],
    [[{ host: 'Bröker.example' }], 'mqtt://xn--brker-kua.example:1883'],
    [[{ host: 'a', port: 2 }], 'mqtt://a:2'],
    [[{ tls: true }], 'mqtts://localhost:8883'],
    [[{ ca: 'ca.pem' }], 'mqtts://localhost:8883'],
    [[{ broker: 'wss://a/mqtt' }], 'wss://a:443'],
    [[{ broker: 'mqtt://a', tls: true }], 'mqtts://a:8883'],
    [[{ broker: 'amqp://a/vh' }], 'amqp://a:5672'],
    [[{ broker: 'amqps://a' }], 'amqps://a:5671'],
    [[{ broker: 'redis://a/2' }], 'redis://a:6379'],
    [[{ btype: 'kafka', tls: true }], 'kafkas://localhost:9093'],
    [[{ port: 5 }, { broker: 'mqtt://a:4' }], 'mqtt://a:5'],
    [[{ host: 'b' }, { broker: 'mqtts://a:4' }], 'mqtt://b:1883'],
    [[{}, { host: 'a', port: 7 }, { broker: 'mqtts://b:4' }], 'mqtt://a:7'],
    [[{}, { host: 'a' }, { port: 9 }], 'mqtt://a:1883'],
    [[{}, {}, { port: 9, tls: true }], 'mqtts://localhost:9'],
    [[{}, { tls: true }, { broker: 'mqtt://[::1]:4' }], 'mqtt://[::1]:4'],
  ])('%j is %s', (sources, target) => expect(targetOf(resolve(...sources))).toBe(target));
});

test('virtual host and database may be part of the URL; flags go before', () => {
  expect(resolve({ broker: 'amqp://a/v%2Fh' })).toMatchObject({ vhost: 'v/h' });
  expect(resolve({ vhost: 'x', broker: 'amqp://a/vh' })).toMatchObject({ vhost: 'x' });
  expect(resolve({ broker: 'redis://a/2' })).toMatchObject({ db: 2 });
  expect(resolve({ db: 0, broker: 'redis://a/2' })).toMatchObject({ db: 0 });
});

test.each([
  ['a:1883', /has a port: give it as --port/],
  ['mqtt://a', /is a URL: give it as --broker/],
  ['a b', /is not a host name/],
  ['user:SECRET@a', /is not a host name/],
  ['a/b', /is not a host name/],
])('%s is no host', (host, message) => expect(() => resolve({ host })).toThrow(message));

describe('credentials', () => {
  test('come from the URL, decoded', () => {
    expect(resolve({ broker: 'mqtt://us%40er:p%2Fw@a' })).toMatchObject({
      username: 'us@er',
      password: 'p/w',
    });
  });

  test('user name and password may come from different sources', () => {
    expect(resolve({ username: 'u' }, { password: 'p' })).toMatchObject({ username: 'u', password: 'p' });
    expect(resolve({ broker: 'mqtt://u@a' }, { passwordFile: 'f' })).toMatchObject({
      username: 'u',
      passwordFile: 'f',
    });
  });

  test('of a higher source go before those of the URL', () => {
    expect(resolve({ password: 'x' }, { broker: 'mqtt://u:p@a' })).toMatchObject({
      username: 'u',
      password: 'x',
    });
    const settings = resolve({ passwordFile: 'f' }, { broker: 'mqtt://u:p@a' });
    expect(settings).toMatchObject({ username: 'u', password: undefined, passwordFile: 'f' });
  });

  test('never go to a host they were not written for', () => {
    const place = fc.constantFrom<Given>(
      {},
      { broker: 'mqtt://x:SECRET@a' },
      { host: 'a', username: 'x', password: 'SECRET' },
      { broker: 'mqtt://a', password: 'SECRET' },
    );
    fc.assert(
      fc.property(place, place, (environment, file) => {
        const settings = resolve({ host: 'b' }, environment, file);
        expect(settings).toMatchObject({ host: 'b', username: undefined, password: undefined });
      }),
    );
  });
});

describe('timeouts are milliseconds', () => {
  test('the connection may take 5 s, however little an answer may', () => {
    expect(resolve({})).toMatchObject({ timeoutMs: undefined, connectTimeoutMs: 5000 });
    expect(resolve({ timeout: 0.5 })).toMatchObject({ timeoutMs: 500, connectTimeoutMs: 5000 });
    expect(resolve({ timeout: 60, connectTimeout: 20 })).toMatchObject({
      timeoutMs: 60_000,
      connectTimeoutMs: 20_000,
    });
  });
});

test('no message about a broken URL shows it', () => {
  for (const broker of ['mqtt://u:SECRET@', 'nope://u:SECRET@a', 'u:SECRET@a:1883', 'mqtt://u:SEC RET@a b'])
    expect(() => resolve({ broker })).toThrow(expect.not.stringContaining('SEC'));
});
