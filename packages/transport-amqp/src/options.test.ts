import { describe, expect, test } from 'vitest';
import { resolveOptions } from './options.js';

describe('the URL', () => {
  test('is taken apart, with defaults', () => {
    expect(resolveOptions('amqp://localhost', {})).toMatchObject({
      target: 'amqp://localhost:5672',
      hosts: [{ host: 'localhost', port: 5672, username: 'guest', password: 'guest', vhost: '/' }],
      exchange: 'amq.topic',
      names: 'amqp',
      heartbeatSeconds: 10,
      maxBuffered: 10_000,
    });
    expect(resolveOptions('amqps://u%40x:p%2Fw@[::1]/my%2Fhost', {})).toMatchObject({
      target: 'amqps://[::1]:5671',
      hosts: [{ host: '::1', port: 5671, username: 'u@x', password: 'p/w', vhost: 'my/host' }],
    });
  });

  test('options go before it', () => {
    const options = { username: 'a', password: 'b', vhost: 'c' };
    expect(resolveOptions('amqp://x:y@h/z', options).hosts[0]).toMatchObject(options);
    // A user name without a password is not guest's.
    expect(resolveOptions('amqp://bot@h', {}).hosts[0]).toMatchObject({ username: 'bot', password: '' });
  });

  test('of several, all are shown without their credentials', () => {
    const config = resolveOptions(['amqp://u:secret@one', 'amqps://u:secret@two:9'], {});
    expect(config.target).toBe('amqp://one:5672, amqps://two:9');
  });

  test.each([
    'nonsense',
    'http://secret@h',
    'amqp://u:sec/ret@h',
    'amqp://u:sec#ret@h',
    'amqp://u:secret@h/vhost/more',
    'amqp://u:secret@h?heartbeat=5',
  ])('%s is refused, and never shown', (url) => {
    let said = '';
    try {
      resolveOptions(url, {});
    } catch (error) {
      said = String(error);
    }
    expect(said).toContain('the broker URL');
    expect(said).not.toContain('sec');
  });

  test('without hosts, or with TLS for an unencrypted one, it is refused', () => {
    expect(() => resolveOptions([], {})).toThrow(/at least one/);
    expect(() => resolveOptions('amqp://h', { tls: { ca: 'x' } })).toThrow(/amqps/);
  });
});

test('figures that make no sense are refused', () => {
  for (const options of [
    { heartbeatMs: -1 },
    { maxBuffered: 0 },
    { confirmWindow: Number.NaN },
    { maxMessageBytes: 0 },
    { exchange: '' },
    { exchange: 'x'.repeat(256) },
  ])
    expect(() => resolveOptions('amqp://h', options)).toThrow();
  expect(resolveOptions('amqp://h', { heartbeatMs: 0 }).heartbeatSeconds).toBe(0);
  expect(resolveOptions('amqp://h', { heartbeatMs: 1 }).heartbeatSeconds).toBe(1);
});
