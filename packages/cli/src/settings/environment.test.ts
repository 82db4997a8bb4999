import { expect, test } from 'vitest';
import { fromEnvironment } from './environment.js';

test('reads what is set, hbotctl’s own names first', () => {
  const env = {
    COMMLIB_BROKER: 'mqtt://a',
    HBOTCTL_BROKER: 'mqtt://b',
    COMMLIB_TLS: 'yes',
    COMMLIB_TIMEOUT: '2.5',
    COMMLIB_CA: '',
  };
  expect(fromEnvironment(env, ['HBOTCTL', 'COMMLIB']).given).toEqual({
    broker: 'mqtt://b',
    tls: true,
    timeout: 2.5,
  });
  expect(fromEnvironment(env, ['COMMLIB']).given).toEqual({ broker: 'mqtt://a', tls: true, timeout: 2.5 });
});

test.each([
  [{ COMMLIB_PORT: 'x' }, /COMMLIB_PORT must be a number/],
  [{ COMMLIB_PORT: '70000' }, /COMMLIB_PORT/],
  [{ COMMLIB_TLS: 'maybe' }, /COMMLIB_TLS must be true or false/],
  [{ COMMLIB_BTYPE: 'zeromq' }, /COMMLIB_BTYPE/],
  [{ COMMLIB_TIMEOUT: '-1' }, /COMMLIB_TIMEOUT/],
])('%j is refused by name', (env, message) => {
  expect(() => fromEnvironment(env, ['COMMLIB'])).toThrow(message);
});
