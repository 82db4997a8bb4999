/** What amqplib, TLS, the network and the broker call an error, as one of ours: what happened, where, and is it for good. */
import { CommlibError, ConnectionError, type ConnectionMeaning, networkMeaning, textOf } from '@commlib/core';

/** The connection could not be made. `before`: it could be made before, with the same credentials and the same virtual host. */
export function connectError(error: unknown, target: string, before: boolean): CommlibError {
  if (CommlibError.is(error)) return error;
  const meaning = meaningOfCode(codeOf(error), false) ?? meaningOfText(textOf(error), target, before);
  return new ConnectionError(meaning.code, `${target}: ${meaning.text}`, {
    cause: error,
    permanent: meaning.permanent === true,
  });
}

/** An open connection ended. */
export function lossError(error: unknown, target: string): CommlibError {
  if (CommlibError.is(error)) return error;
  const text = textOf(error);
  const meaning: ConnectionMeaning = meaningOfCode(codeOf(error), true) ?? {
    code: 'CONNECTION_LOST',
    text:
      text === 'Heartbeat timeout'
        ? 'the broker fell silent (heartbeat)'
        : text === 'Unexpected close'
          ? 'the broker closed the connection'
          : brokersWords(text),
  };
  return new ConnectionError(meaning.code, `${target}: ${meaning.text}`, { cause: error });
}

/** The broker refused one thing (a queue, a binding, a message) and closed the channel over it. */
export function refusal(error: unknown, what: string): CommlibError {
  if (CommlibError.is(error)) return error;
  const code = codeOf(error);
  const options = { cause: error, context: typeof code === 'number' ? { replyCode: code } : {} };
  const why = brokersWords(textOf(error));
  if (code === 403) return new ConnectionError('NOT_AUTHORIZED', `${what}: not authorized: ${why}`, options);
  if (code === 405) return new CommlibError('RESOURCE_LOCKED', `${what}: in use by another: ${why}`, options);
  return new CommlibError('REFUSED', `${what}: refused by the broker: ${why}`, options);
}

/** Does another connection hold the exclusive queue (AMQP 405)? */
export function isLocked(error: unknown): boolean {
  return CommlibError.is(error, 'RESOURCE_LOCKED');
}

/** The reply code of AMQP, or the name of a network or TLS error. */
export function codeOf(error: unknown): number | string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'number' || typeof error.code === 'string' ? error.code : undefined;
}

/** amqplib's own words around the broker's left out. */
function brokersWords(text: string): string {
  return /with message "(.*)"$/s.exec(text)?.[1] ?? text;
}

function meaningOfCode(code: number | string | undefined, connected: boolean): ConnectionMeaning | undefined {
  return typeof code === 'string' ? networkMeaning(code, connected) : undefined;
}

/** amqplib gives no code for what the broker says while the connection is opened: its text has to do. */
function meaningOfText(text: string, target: string, before: boolean): ConnectionMeaning {
  if (text === 'connect ETIMEDOUT')
    return { code: 'CONNECTION_TIMEOUT', text: 'no answer to the connection request' };
  if (/ACCESS[_-]REFUSED/.test(text))
    return { code: 'AUTHENTICATION_FAILED', text: 'wrong user name or password', permanent: true };
  if (text.includes('SASL mechanism'))
    return { code: 'AUTHENTICATION_FAILED', text: 'the broker takes no passwords', permanent: true };
  // The broker's reason is not in the error. A connection that worked before may have met a broker that is not all there yet.
  if (text.includes('Expected ConnectionOpenOk'))
    return {
      code: 'NOT_AUTHORIZED',
      text: 'the virtual host does not exist, or this user may not enter it',
      permanent: !before,
    };
  if (text.startsWith('Socket closed abruptly')) {
    const hint = target.startsWith('amqp:') ? '; is it a port for TLS (amqps)?' : '';
    return { code: 'CONNECTION_FAILED', text: `closed the connection before it answered${hint}` };
  }
  return { code: 'CONNECTION_FAILED', text: brokersWords(text) };
}
