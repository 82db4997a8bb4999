import { CommlibError } from '@commlib/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { resolveOptions } from './options.js';

describe('the broker URL', () => {
  test.for([
    ['mqtt://h', 'h', 1883, ''],
    ['mqtts://h', 'h', 8883, ''],
    ['ws://h', 'h', 80, '/'],
    ['wss://h:1/mqtt?x=1', 'h', 1, '/mqtt?x=1'],
    ['mqtt://[::1]:1884', '::1', 1884, ''],
  ] as const)('%s', ([url, host, port, path]) => {
    expect(resolveOptions(url, {})).toMatchObject({ host, port, path });
  });

  test('user and password: percent-decoded, options first', () => {
    expect(resolveOptions('mqtt://us%40er:p%3Aw@h', {})).toMatchObject({
      username: 'us@er',
      password: 'p:w',
    });
    expect(resolveOptions('mqtt://a:b@h', { username: 'c', password: 'd' })).toMatchObject({
      username: 'c',
      password: 'd',
    });
    expect(resolveOptions('mqtt://h', { password: 'only' })).toMatchObject({
      username: '',
      password: 'only',
    });
    expect(resolveOptions('mqtt://h', {})).toMatchObject({ username: undefined, password: undefined });
    expect(resolveOptions('mqtt://u:100%@h', {})).toMatchObject({ password: '100%' });
  });

  test('credentials never show', () => {
    const secret = fc.stringMatching(/^[a-z0-9]{12}$/);
    fc.assert(
      fc.property(
        secret,
        secret,
        fc.constantFrom('mqtt', 'mqtts', 'ws', 'wss', 'http', ''),
        (user, password, protocol) => {
          let shown: string;
          try {
            shown = resolveOptions(`${protocol}://${user}:${password}@host:1/x`, {}).target;
          } catch (error) {
            expect(CommlibError.is(error, 'UNSUPPORTED')).toBe(true);
            shown = String(error) + JSON.stringify(error);
          }
          return !shown.includes(password) && !shown.includes(user);
        },
      ),
    );
  });

  test.for([
    'mqtt://bot:12/34x@host:1883',
    'mqtt://bot:1234#x@broker',
    'mqtt://bot:12?x@broker',
    'ws://bot:12#34@host:9001/mqtt',
    'ws://bot:12/34@host:9001/mqtt',
    'bot:1234@host',
    'mqtt://host/topic12',
  ])('%s: not taken for another host, and not shown', (url) => {
    let error: unknown;
    try {
      resolveOptions(url, {});
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: 'UNSUPPORTED' });
    expect(String(error) + JSON.stringify(error)).not.toMatch(/12|bot/);
  });

  test('certificates and a URL without TLS contradict each other', () => {
    for (const protocol of ['mqtt', 'ws']) {
      expect(() => resolveOptions(`${protocol}://h`, { tls: { ca: 'x' } })).toThrow(`${protocol}s://`);
      expect(resolveOptions(`${protocol}s://h`, { tls: { ca: 'x' } })).toMatchObject({ tls: { ca: 'x' } });
    }
  });

  test('no limit for an attempt is a long one, not none', () => {
    expect(resolveOptions('mqtt://h', { connectTimeoutMs: Number.POSITIVE_INFINITY })).toMatchObject({
      connectTimeoutMs: 2 ** 31 - 1,
    });
  });

  test('a client id of its own for each connection, unless given', () => {
    const ids = Array.from({ length: 100 }, () => resolveOptions('mqtt://h', {}).clientId);
    expect(new Set(ids).size).toBe(100);
    expect(resolveOptions('mqtt://h', { clientId: 'me' })).toMatchObject({
      clientId: 'me',
      stableClientId: true,
    });
  });
});
