import { describe, expect, test } from 'vitest';
import { codeOf, connectError, isLocked, lossError, refusal } from './errors.js';

const at = 'amqps://h:5671';
const coded = (code: string | number, message = 'x') => Object.assign(new Error(message), { code });

describe('while connecting', () => {
  test.each([
    [
      new Error(
        'Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - Login was refused"',
      ),
      'AUTHENTICATION_FAILED',
      true,
    ],
    [new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>'), 'NOT_AUTHORIZED', true],
    [new Error('connect ETIMEDOUT'), 'CONNECTION_TIMEOUT', false],
    [new Error('Socket closed abruptly during opening handshake'), 'CONNECTION_FAILED', false],
    [coded('ECONNREFUSED'), 'CONNECTION_REFUSED', false],
    [coded('ENOTFOUND'), 'HOST_NOT_FOUND', false],
    [coded('EHOSTUNREACH'), 'CONNECTION_TIMEOUT', false],
    [coded('ECONNRESET'), 'CONNECTION_FAILED', false],
    [coded('SELF_SIGNED_CERT_IN_CHAIN'), 'TLS_UNTRUSTED', true],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS_HOSTNAME', true],
    [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'TLS_FAILED', true],
    [coded('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), 'TLS_FAILED', true],
  ])('%s', (error, code, permanent) => {
    expect(connectError(error, at, false)).toMatchObject({ code, permanent, cause: error });
  });

  test('a virtual host that was there before may come back', () => {
    const error = new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>');
    expect(connectError(error, at, true)).toMatchObject({ code: 'NOT_AUTHORIZED', permanent: false });
  });
});

test('a loss is never for good, and keeps the words of the broker', () => {
  const forced = coded(320, 'Connection closed: 320 (CONNECTION-FORCED) with message "broker forced it"');
  expect(lossError(forced, at)).toMatchObject({
    code: 'CONNECTION_LOST',
    permanent: false,
    message: `${at}: broker forced it`,
  });
  expect(lossError(new Error('Heartbeat timeout'), at).message).toContain('fell silent');
});

test('a refusal says what was refused, why, and the code', () => {
  const gone = coded(
    404,
    'Operation failed: QueueBind; 404 (NOT-FOUND) with message "NOT_FOUND - no exchange"',
  );
  expect(refusal(gone, 'subscription to a')).toMatchObject({
    code: 'REFUSED',
    context: { replyCode: 404 },
    message: 'subscription to a: refused by the broker: NOT_FOUND - no exchange',
  });
  expect(refusal(coded(403), 'x')).toMatchObject({ code: 'NOT_AUTHORIZED' });
  expect(isLocked(refusal(coded(405), 'x'))).toBe(true);
  expect(refusal(refusal(coded(405), 'x'), 'y').message).toMatch(/^x/);
  expect(codeOf('no error')).toBeUndefined();
});
