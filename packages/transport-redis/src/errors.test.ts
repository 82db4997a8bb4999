import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { commandError, connectionError, isMisplaced, isMissingStream } from './errors.js';

const system = (code: string) => Object.assign(new Error(code), { code });

describe('errors of Redis', () => {
  test.for([
    [new Error('WRONGPASS invalid username-password pair'), 'AUTHENTICATION_FAILED', true],
    [new Error('NOAUTH Authentication required.'), 'AUTHENTICATION_FAILED', true],
    [new Error("NOPERM User x has no permissions to run the 'ping' command"), 'NOT_AUTHORIZED', true],
    [new Error('LOADING Redis is loading the dataset in memory'), 'CONNECTION_REFUSED', false],
    [new Error('ERR max number of clients reached'), 'CONNECTION_REFUSED', false],
    [new Error('ERR DB index is out of range'), 'PROTOCOL_REFUSED', true],
    [system('ECONNREFUSED'), 'CONNECTION_REFUSED', false],
    [system('ENOTFOUND'), 'HOST_NOT_FOUND', false],
    [system('SELF_SIGNED_CERT_IN_CHAIN'), 'TLS_UNTRUSTED', true],
    [system('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS_HOSTNAME', true],
    [system('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'), 'TLS_FAILED', true],
  ] as const)('%s is %s', ([error, code, permanent]) => {
    expect(connectionError(error, 'redis://host:1', false)).toMatchObject({ code, permanent });
  });

  test('a command that is refused: what, why, and what kind', () => {
    const wrongType = new Error('WRONGTYPE Operation against a key holding the wrong kind of value');
    expect(commandError(wrongType, 'orders')).toMatchObject({
      code: 'WRONG_TYPE',
      context: { redis: 'WRONGTYPE' },
    });
    expect(commandError(new Error('OOM command not allowed'), 'orders')).toMatchObject({ code: 'REFUSED' });
    expect(commandError(new Error('NOPERM no'), 'orders')).toMatchObject({
      code: 'NOT_AUTHORIZED',
      permanent: true,
    });
  });

  test('the arguments that ioredis attaches, a password among them, are not kept', () => {
    const error = Object.assign(new Error('WRONGPASS no'), {
      command: { name: 'auth', args: ['bot', 'hunter2'] },
    });
    expect(inspect(connectionError(error, 'redis://host:1', false), { depth: 9 })).not.toContain('hunter2');
    expect(inspect(commandError(error, 'x'), { depth: 9 })).not.toContain('hunter2');
  });

  test('a server that lost its role, and a stream that was deleted, are told apart', () => {
    for (const text of ['READONLY You can', 'MOVED 1 a:1', 'UNBLOCKED force unblock, instance state changed'])
      expect(isMisplaced(new Error(text))).toBe(true);
    const deleted = new Error('UNBLOCKED the stream key no longer exists');
    expect(isMisplaced(deleted)).toBe(false);
    expect(isMissingStream(deleted)).toBe(true);
    expect(isMissingStream(new Error('NOGROUP No such key'))).toBe(true);
  });
});
