/** What kafkajs, TLS, the network and the broker call an error, as one of ours: what happened, where, and is it for good. */
import { CommlibError, ConnectionError, type ConnectionMeaning, networkMeaning, textOf } from '@commlib/core';

/** The protocol's error names that a later attempt with fresh metadata may mend (`retriable` in Kafka's own list). */
const PASSING: ReadonlySet<string> = new Set([
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'REPLICA_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'NETWORK_EXCEPTION',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'NOT_CONTROLLER',
]);

/** `error` and what caused it, outermost first. kafkajs wraps errors in errors. */
function* chain(error: unknown): Generator<Record<string, unknown>> {
  let at: unknown = error;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth++) {
    const fields = { ...at, name: 'name' in at ? at.name : undefined, message: textOf(at) };
    yield fields;
    const inner: unknown = 'cause' in at ? at.cause : undefined;
    at = inner ?? ('errors' in at && Array.isArray(at.errors) ? at.errors[0] : undefined);
  }
}

/** The protocol's name of an error (`NOT_LEADER_FOR_PARTITION`), wherever kafkajs put it. */
export function typeOf(error: unknown): string | undefined {
  for (const { type } of chain(error)) if (typeof type === 'string') return type;
  return undefined;
}

/** The class of kafkajs that an error is of, or was caused by. */
export function isNamed(error: unknown, name: string): boolean {
  for (const one of chain(error)) if (one.name === name) return true;
  return false;
}

/** A later attempt may work without a new connection. */
export function isPassing(error: unknown): boolean {
  const type = typeOf(error);
  return type !== undefined && PASSING.has(type);
}

/** The link is at fault, not the request: kafkajs lost or never had the connection. */
export function isLinkError(error: unknown): boolean {
  for (const { name } of chain(error)) {
    if (
      name === 'KafkaJSConnectionError' ||
      name === 'KafkaJSConnectionClosedError' ||
      name === 'KafkaJSRequestTimeoutError' ||
      name === 'KafkaJSBrokerNotFound' ||
      name === 'KafkaJSLockTimeout'
    ) {
      return true;
    }
  }
  return false;
}

/** Any error of a connection. `connected`: it was ready before. */
export function linkError(error: unknown, target: string, connected: boolean): CommlibError {
  if (CommlibError.is(error)) return error;
  const meaning = meaningOf(error, connected);
  const code = codeOf(error);
  return new ConnectionError(meaning.code, `${target}: ${meaning.text}`, {
    cause: error,
    permanent: meaning.permanent === true,
    context: code === undefined ? {} : { cause: code },
  });
}

function codeOf(error: unknown): string | undefined {
  for (const { code } of chain(error)) if (typeof code === 'string') return code;
  return undefined;
}

function meaningOf(error: unknown, connected: boolean): ConnectionMeaning {
  const code = codeOf(error);
  if (code !== undefined) {
    const known = ofCode(code, connected);
    if (known) return known;
  }
  const type = typeOf(error);
  if (isNamed(error, 'KafkaJSSASLAuthenticationError') || type === 'SASL_AUTHENTICATION_FAILED') {
    const mechanism =
      textOf(error).includes('mechanism is not supported') || type === 'UNSUPPORTED_SASL_MECHANISM';
    return {
      code: 'AUTHENTICATION_FAILED',
      text: mechanism ? 'the broker does not take this SASL mechanism' : 'wrong user name or password',
      permanent: true,
    };
  }
  if (type === 'ILLEGAL_SASL_STATE') {
    return { code: 'AUTHENTICATION_FAILED', text: 'SASL is not spoken at this port', permanent: true };
  }
  if (type === 'UNSUPPORTED_SASL_MECHANISM') {
    return {
      code: 'AUTHENTICATION_FAILED',
      text: 'the broker does not take this SASL mechanism',
      permanent: true,
    };
  }
  if (type?.endsWith('AUTHORIZATION_FAILED')) {
    return { code: 'NOT_AUTHORIZED', text: `the broker does not allow it (${type})`, permanent: true };
  }
  if (isNamed(error, 'KafkaJSRequestTimeoutError')) {
    return {
      code: connected ? 'CONNECTION_LOST' : 'CONNECTION_TIMEOUT',
      text: 'the broker left a request unanswered',
    };
  }
  const text = textOf(error);
  if (text.includes('Connection timeout')) {
    return { code: 'CONNECTION_TIMEOUT', text: 'the host does not answer' };
  }
  if (connected) return { code: 'CONNECTION_LOST', text: 'the connection was lost' };
  if (isNamed(error, 'KafkaJSConnectionClosedError') || text.includes('Closed connection')) {
    return {
      code: 'CONNECTION_FAILED',
      text: 'the broker closed the connection before it answered (does it speak TLS, or want a password?)',
    };
  }
  return { code: 'CONNECTION_FAILED', text };
}

/** A code of Node's; kafkajs has codes of its own. */
function ofCode(code: string, connected: boolean): ConnectionMeaning | undefined {
  return /^E[A-Z]+/.test(code) || networkMeaning(code, false).permanent
    ? networkMeaning(code, connected)
    : undefined;
}

/** Why the broker took a message, or an operation on a topic or group, not. */
export function operationError(error: unknown, what: string): CommlibError {
  if (CommlibError.is(error)) return error;
  const type = typeOf(error);
  const context = type === undefined ? {} : { cause: type };
  if (type?.endsWith('AUTHORIZATION_FAILED')) {
    return new ConnectionError('NOT_AUTHORIZED', `${what}: the broker does not allow it (${type})`, {
      cause: error,
      context,
    });
  }
  const why =
    type === 'MESSAGE_TOO_LARGE' ? 'larger than the broker takes (message.max.bytes)' : textOf(error);
  return new CommlibError('REFUSED', `${what}: ${why}`, { cause: error, context });
}

/** A topic is not there, and is not to be made. */
export function missingTopic(topic: string): CommlibError {
  return new CommlibError(
    'TOPIC_NOT_FOUND',
    `the topic ${topic} does not exist, and the option topics.create is false`,
    { context: { topic } },
  );
}

/** A topic cannot be made. */
export function topicError(error: unknown, topic: string): CommlibError {
  const type = typeOf(error);
  const context = { topic, ...(type === undefined ? {} : { cause: type }) };
  if (type === 'INVALID_TOPIC_EXCEPTION') {
    return new CommlibError(
      'TOPIC_COLLISION',
      `the topic ${topic} cannot be made: one whose name differs only in . and _ is there, and Kafka's metrics cannot tell them apart`,
      { cause: error, context },
    );
  }
  return operationError(error, `the topic ${topic} could not be made`);
}
