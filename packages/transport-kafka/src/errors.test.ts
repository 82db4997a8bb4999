import { CommlibError } from '@commlib/core';
import { expect, test } from 'vitest';
import { isLinkError, isPassing, linkError, operationError, topicError, typeOf } from './errors.js';

/** As kafkajs makes them: fields on an error, errors as causes of errors. */
function made(name: string, fields: Record<string, unknown> = {}, cause?: Error): Error {
  return Object.assign(new Error('message', { cause }), { name, ...fields });
}

const wrapped = (inner: Error) =>
  made('KafkaJSNumberOfRetriesExceeded', {}, made('KafkaJSNonRetriableError', {}, inner));

test.for([
  [made('KafkaJSConnectionError', { code: 'ECONNREFUSED' }), 'CONNECTION_REFUSED', false],
  [made('KafkaJSConnectionError', { code: 'ENOTFOUND' }), 'HOST_NOT_FOUND', false],
  [made('KafkaJSConnectionError', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'TLS_HOSTNAME', true],
  [made('KafkaJSConnectionError', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'TLS_UNTRUSTED', true],
  [made('KafkaJSConnectionError', { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }), 'TLS_FAILED', true],
  [made('KafkaJSSASLAuthenticationError'), 'AUTHENTICATION_FAILED', true],
  [made('KafkaJSProtocolError', { type: 'ILLEGAL_SASL_STATE' }), 'AUTHENTICATION_FAILED', true],
  [made('KafkaJSRequestTimeoutError'), 'CONNECTION_TIMEOUT', false],
] as const)('%s, however deep, is %s', ([error, code, permanent]) => {
  for (const one of [error, wrapped(error)]) {
    expect(linkError(one, 'kafka://host:1', false)).toMatchObject({ code, permanent });
  }
});

test('after the connection was ready it is a loss', () => {
  const error = made('KafkaJSConnectionError', { code: 'ECONNRESET' });
  expect(linkError(error, 'kafka://host:1', true)).toMatchObject({
    code: 'CONNECTION_LOST',
    permanent: false,
  });
});

test('what is the link’s, what passes, what is neither', () => {
  expect(isLinkError(wrapped(made('KafkaJSConnectionClosedError')))).toBe(true);
  const moved = wrapped(made('KafkaJSProtocolError', { type: 'NOT_LEADER_FOR_PARTITION' }));
  expect([isLinkError(moved), isPassing(moved), typeOf(moved)]).toEqual([
    false,
    true,
    'NOT_LEADER_FOR_PARTITION',
  ]);
  expect(isPassing(made('KafkaJSProtocolError', { type: 'MESSAGE_TOO_LARGE' }))).toBe(false);
});

test('errors that kafkajs gathers are found', () => {
  const all = Object.assign(new Error('Topic creation errors'), {
    errors: [made('KafkaJSCreateTopicError', { type: 'INVALID_TOPIC_EXCEPTION' })],
  });
  expect(topicError(all, 'a_b')).toMatchObject({ code: 'TOPIC_COLLISION', context: { topic: 'a_b' } });
});

test('an operation that is not allowed says so, and does not end the connection', () => {
  const denied = made('KafkaJSProtocolError', { type: 'TOPIC_AUTHORIZATION_FAILED' });
  expect(operationError(denied, 'a message to t')).toMatchObject({
    code: 'NOT_AUTHORIZED',
    permanent: false,
  });
  const own = new CommlibError('X', 'ours');
  expect(operationError(own, 'anything')).toBe(own);
});
