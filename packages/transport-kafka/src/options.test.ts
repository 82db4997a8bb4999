import { describe, expect, test } from 'vitest';
import { kafka } from './kafka.js';
import { resolveOptions } from './options.js';

describe('where the brokers are', () => {
  test('one host, several, a list; the default port', () => {
    expect(resolveOptions('kafka://one', {}).brokers).toEqual(['one:9092']);
    expect(resolveOptions('kafka://one:1,two:2', {}).target).toBe('kafka://one:1,two:2');
    expect(resolveOptions(['one', 'two:2'], {}).brokers).toEqual(['one:9092', 'two:2']);
    expect(resolveOptions(['one'], { tls: true })).toMatchObject({ target: 'kafkas://one:9092', tls: {} });
  });

  test('user and password, percent-encoded; the options go first', () => {
    const url = 'kafka://bot:p%40ss%2F1@host:9092';
    expect(resolveOptions(url, {}).sasl).toEqual({ mechanism: 'plain', username: 'bot', password: 'p@ss/1' });
    const sasl = { mechanism: 'scram-sha-512', username: 'a', password: 'b' } as const;
    expect(resolveOptions(url, { sasl }).sasl).toEqual(sasl);
    expect(resolveOptions('kafka://host', {}).sasl).toBeUndefined();
  });

  test.for([
    'mqtt://host',
    'kafka://',
    'host:9092',
    'kafka://user:se/cret@host',
    'kafka://user:se@cret@host',
    'kafka://user:secret@host/path',
    'kafka://user:secret@host#x',
    'kafka://user:secret@[::1]:9092',
    'kafka://user:secret@host:99999',
    'kafka://user:secret@ho st',
    'kafka://secret@host',
  ])('%s is refused without being shown', (url) => {
    const said = () => {
      try {
        kafka(url);
      } catch (error) {
        return String(error);
      }
      return 'nothing thrown';
    };
    expect(said()).toMatch(/^UnsupportedError: /);
    expect(said()).not.toContain('cret');
  });

  test('TLS and the URL must not contradict each other', () => {
    expect(() => kafka('kafka://host', { tls: { ca: 'x' } })).toThrow(/kafkas:/);
    expect(() => kafka('kafkas://host', { tls: false })).toThrow(/kafka:/);
  });

  test.for([
    { topics: { partitions: 0 } },
    { topics: { replicationFactor: 1.5 } },
    { lingerMs: -1 },
    { maxBuffered: 0 },
    { sessionTimeoutMs: 0 },
  ])('%j is refused where it is given', (options) => {
    expect(() => kafka('kafka://host', options)).toThrow(RangeError);
  });
});
