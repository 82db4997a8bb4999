/** What ioredis, TLS, the network and Redis call an error, as one of ours: what happened, where, and is it for good. */

import { CommlibError, ConnectionError, type ConnectionMeaning, networkMeaning } from '@commlib/core';
import { ReplyError } from 'ioredis';

/** The first word of an error that Redis answers with: its stable part. */
const REPLIES: Readonly<Record<string, ConnectionMeaning>> = {
  WRONGPASS: { code: 'AUTHENTICATION_FAILED', text: 'wrong user name or password', permanent: true },
  NOAUTH: { code: 'AUTHENTICATION_FAILED', text: 'the server wants a password', permanent: true },
  NOPERM: { code: 'NOT_AUTHORIZED', text: 'this user may not do that', permanent: true },
  DENIED: {
    code: 'CONNECTION_REFUSED',
    text: 'the server is in protected mode: it takes local clients only',
  },
  LOADING: { code: 'CONNECTION_REFUSED', text: 'the server is still loading its data' },
  MASTERDOWN: { code: 'CONNECTION_REFUSED', text: 'the server is a replica without its master' },
  CLUSTERDOWN: { code: 'CONNECTION_REFUSED', text: 'the cluster does not serve all slots now' },
  TRYAGAIN: { code: 'CONNECTION_REFUSED', text: 'the cluster moves these keys just now' },
  READONLY: { code: 'CONNECTION_LOST', text: 'the server became a replica' },
  UNBLOCKED: { code: 'CONNECTION_LOST', text: 'the server became a replica' },
  MOVED: { code: 'CONNECTION_LOST', text: 'the cluster moved this key to another node' },
  ASK: { code: 'CONNECTION_LOST', text: 'the cluster is moving this key to another node' },
};

/** Answers after which the connection is of no more use, as it leads to the wrong server. */
const MISPLACED: ReadonlySet<string> = new Set([
  'READONLY',
  'UNBLOCKED',
  'MOVED',
  'ASK',
  'CLUSTERDOWN',
  'MASTERDOWN',
]);

/** The first word of what Redis said. */
export function replyCode(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^-?([A-Z][A-Z_]+)\b/.exec(message)?.[1] ?? '';
}

/** The server has answered with it; anything else is of ioredis or the network. */
export function isReply(error: unknown): boolean {
  return error instanceof ReplyError;
}

/** The server is no longer the one that has the data: a new connection is needed. */
export function isMisplaced(error: unknown): boolean {
  // A deleted stream ends the reads that wait for it with the same word.
  if (isMissingStream(error)) return false;
  return MISPLACED.has(replyCode(error));
}

/** The stream or its group was deleted, before or while a read waited. */
export function isMissingStream(error: unknown): boolean {
  return error instanceof Error && /^-?NOGROUP|key no longer exists/.test(error.message);
}

export function isUnknownCommand(error: unknown): boolean {
  return error instanceof Error && /unknown command/i.test(error.message);
}

/** Any error of a connection; `connected`: it had been made. */
export function connectionError(error: unknown, target: string, connected: boolean): CommlibError {
  if (CommlibError.is(error)) return error;
  const { code, text, permanent = false } = meaningOf(error, connected);
  return new ConnectionError(code, `${target}: ${text}`, {
    cause: bare(error),
    permanent,
    context: { redis: replyCode(error) || codeOf(error) },
  });
}

/** Redis refused a command; the connection goes on. */
export function commandError(error: unknown, what: string): CommlibError {
  if (CommlibError.is(error)) return error;
  const reply = replyCode(error);
  const meaning = REPLIES[reply];
  const options = { cause: bare(error), context: { redis: reply } };
  if (meaning)
    return new ConnectionError(meaning.code, `${what}: ${meaning.text} (${reply})`, {
      ...options,
      permanent: meaning.permanent === true,
    });
  if (reply === 'WRONGTYPE') {
    return new CommlibError('WRONG_TYPE', `${what}: the key is there and holds something else`, options);
  }
  const text = error instanceof Error ? error.message : String(error);
  return new CommlibError('REFUSED', `${what}: the server refused it: ${text}`, options);
}

/** Without the command and its arguments, which ioredis attaches: a password may be among them. */
function bare(error: unknown): Error {
  const plain = new Error(error instanceof Error ? error.message : String(error));
  const code = codeOf(error);
  return code === undefined ? plain : Object.assign(plain, { code });
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function meaningOf(error: unknown, connected: boolean): ConnectionMeaning {
  const known = REPLIES[replyCode(error)];
  if (known) return known;
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (code !== undefined) return systemMeaning(code, connected);
  if (/DB index is out of range|SELECT is not allowed/i.test(message))
    return { code: 'PROTOCOL_REFUSED', text: 'the server has no such database', permanent: true };
  if (/AUTH <password> called without any password|wrong number of arguments for 'auth'/i.test(message))
    return { code: 'AUTHENTICATION_FAILED', text: 'the server knows no users or passwords', permanent: true };
  if (/max number of clients/i.test(message))
    return { code: 'CONNECTION_REFUSED', text: 'the server has as many clients as it takes' };
  if (/All sentinels are unreachable/i.test(message))
    return { code: 'CONNECTION_REFUSED', text: 'no sentinel names a master' };
  if (connected) return { code: 'CONNECTION_LOST', text: 'the connection was lost' };
  return { code: 'CONNECTION_FAILED', text: message };
}

function systemMeaning(code: string, connected: boolean): ConnectionMeaning {
  const detail = ` (${code})`;
  if (!connected && (code === 'ECONNRESET' || code === 'EPIPE')) {
    const text = `the server closed the connection before it answered${detail}; does it want TLS (rediss://), or none?`;
    return { code: 'CONNECTION_FAILED', text };
  }
  if (code === 'ENOENT') return { code: 'CONNECTION_REFUSED', text: `there is no such socket${detail}` };
  if (code === 'EACCES')
    return { code: 'NOT_AUTHORIZED', text: `the socket may not be used${detail}`, permanent: true };
  return networkMeaning(code, connected);
}
