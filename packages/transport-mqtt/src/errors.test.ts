import { describe, expect, test } from 'vitest';
import { connackError, disconnectError, linkError, publishError, subscribeError } from './errors.js';

const target = 'mqtts://host:8883';
const withCode = (code: string | number, message = 'text of the library') =>
  Object.assign(new Error(message), { code });

describe('what an error means', () => {
  test.for([
    [4, 'AUTHENTICATION_FAILED', true],
    [5, 'AUTHENTICATION_FAILED', true],
    [134, 'AUTHENTICATION_FAILED', true],
    [135, 'AUTHENTICATION_FAILED', true],
    [138, 'AUTHENTICATION_FAILED', true],
    [2, 'PROTOCOL_REFUSED', true],
    [133, 'PROTOCOL_REFUSED', true],
    [132, 'PROTOCOL_REFUSED', true],
    [3, 'CONNECTION_REFUSED', false],
    [136, 'CONNECTION_REFUSED', false],
    [151, 'CONNECTION_REFUSED', false],
    [159, 'CONNECTION_REFUSED', false],
    [222, 'CONNECTION_REFUSED', false],
  ] as const)('CONNACK %i is %s', ([reason, code, permanent]) => {
    for (const error of [connackError(reason, target), linkError(withCode(reason), target, false)]) {
      expect(error).toMatchObject({ code, permanent, context: { reasonCode: reason } });
      expect(error.message).toContain(target);
    }
  });

  test.for([
    ['ECONNREFUSED', false, 'CONNECTION_REFUSED', false],
    ['ENOTFOUND', false, 'HOST_NOT_FOUND', false],
    ['ETIMEDOUT', false, 'CONNECTION_TIMEOUT', false],
    ['ECONNRESET', true, 'CONNECTION_LOST', false],
    ['EPIPE', true, 'CONNECTION_LOST', false],
    ['SELF_SIGNED_CERT_IN_CHAIN', false, 'TLS_UNTRUSTED', true],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', false, 'TLS_UNTRUSTED', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', false, 'TLS_UNTRUSTED', true],
    ['CERT_HAS_EXPIRED', false, 'TLS_UNTRUSTED', true],
    ['ERR_TLS_CERT_ALTNAME_INVALID', false, 'TLS_HOSTNAME', true],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', true, 'TLS_FAILED', true],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', false, 'TLS_FAILED', true],
    ['ERR_SSL_WRONG_VERSION_NUMBER', false, 'TLS_FAILED', true],
    ['ERR_SSL_SOMETHING', false, 'TLS_FAILED', false],
  ] as const)('%s is %s', ([cause, connected, code, permanent]) => {
    const error = linkError(withCode(cause), target, connected);
    expect(error).toMatchObject({ code, permanent });
    expect(error.message).toContain(target);
    expect(error.message).toContain(cause);
  });

  test("mqtt.js's own words", () => {
    expect(linkError(new Error('connack timeout'), target, false)).toMatchObject({
      code: 'CONNECTION_TIMEOUT',
    });
    expect(linkError(new Error('Keepalive timeout'), target, true)).toMatchObject({
      code: 'CONNECTION_LOST',
    });
    const known = connackError(3, target);
    expect(linkError(known, target, true)).toBe(known);
  });

  test('a DISCONNECT tells why; 142 is another connection with the same client id', () => {
    expect(disconnectError(142, target)).toMatchObject({ code: 'CONNECTION_LOST', permanent: false });
    expect(disconnectError(142, target).message).toContain('same client id');
  });

  test('refused subscriptions and messages', () => {
    expect(subscribeError(135, 'a/#')).toMatchObject({ code: 'NOT_AUTHORIZED' });
    expect(subscribeError(128, 'a/#')).toMatchObject({ code: 'NOT_AUTHORIZED' });
    expect(subscribeError(158, 'a/#')).toMatchObject({ code: 'SUBSCRIBE_REFUSED' });
    expect(publishError(135, 'a')).toMatchObject({ code: 'NOT_AUTHORIZED' });
    expect(publishError(151, 'a')).toMatchObject({ code: 'PUBLISH_REFUSED', context: { reasonCode: 151 } });
  });
});
