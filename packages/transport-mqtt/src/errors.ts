/** What mqtt.js, TLS, the network and the broker call an error, as one of ours: what happened, where, and is it for good. */
import { CommlibError, ConnectionError, type ConnectionMeaning, networkMeaning } from '@commlib/core';

const BAD_CREDENTIALS: ConnectionMeaning = {
  code: 'AUTHENTICATION_FAILED',
  text: 'wrong user name or password',
  permanent: true,
};
/** Mosquitto says this for a wrong password too. */
const NOT_AUTHORIZED: ConnectionMeaning = {
  code: 'AUTHENTICATION_FAILED',
  text: 'the broker does not let this user in (wrong user name or password, or no permission)',
  permanent: true,
};
const BAD_CLIENT_ID: ConnectionMeaning = {
  code: 'PROTOCOL_REFUSED',
  text: 'the broker refuses the client id',
  permanent: true,
};
const BAD_VERSION: ConnectionMeaning = {
  code: 'PROTOCOL_REFUSED',
  text: 'the broker does not speak this MQTT version',
  permanent: true,
};
const UNAVAILABLE: ConnectionMeaning = {
  code: 'CONNECTION_REFUSED',
  text: 'the broker is not available now',
};

/** CONNACK codes: below 128 of MQTT 3.1.1 (§3.2.2.3), above of MQTT 5 (§3.2.2.2). */
const CONNACK: Readonly<Record<number, ConnectionMeaning>> = {
  1: BAD_VERSION,
  2: BAD_CLIENT_ID,
  3: UNAVAILABLE,
  4: BAD_CREDENTIALS,
  5: NOT_AUTHORIZED,
  132: BAD_VERSION,
  133: BAD_CLIENT_ID,
  134: BAD_CREDENTIALS,
  135: NOT_AUTHORIZED,
  136: UNAVAILABLE,
  137: UNAVAILABLE,
  138: { code: 'AUTHENTICATION_FAILED', text: 'the broker has banned this client', permanent: true },
  140: {
    code: 'AUTHENTICATION_FAILED',
    text: 'the broker wants another way of authentication',
    permanent: true,
  },
  149: { code: 'CONNECTION_REFUSED', text: 'the broker finds the CONNECT packet too large' },
  151: { code: 'CONNECTION_REFUSED', text: "the broker's quota is exceeded" },
  159: { code: 'CONNECTION_REFUSED', text: 'the broker limits the rate of connections' },
};

/** DISCONNECT codes of MQTT 5 (§3.14.2.1) that help to find the cause. */
const DISCONNECT: Readonly<Record<number, string>> = {
  129: 'malformed packet',
  130: 'protocol error',
  135: 'not authorized',
  137: 'the broker is busy',
  139: 'the broker shuts down',
  141: 'the broker heard nothing from us for too long',
  142: 'another connection uses the same client id and took over; give each connection an id of its own',
  143: 'invalid topic filter',
  144: 'invalid topic',
  147: 'too many messages without confirmation',
  149: 'a packet was too large for the broker',
  150: 'too many messages per second',
  151: 'quota exceeded',
  152: "by the broker's administrator",
  156: 'use another server',
  157: 'the server moved',
};

/** The codes that make us try MQTT 3.1.1. */
export function isVersionRefusal(error: CommlibError): boolean {
  return error.context.reasonCode === 1 || error.context.reasonCode === 132;
}

/** Marks an error as "the link was closed without a word before the CONNACK": so do some brokers that know no MQTT 5. */
export function closedBeforeConnack(target: string): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', `${target} closed the connection before it answered`, {
    context: { beforeConnack: true },
  });
}

export function isClosedBeforeConnack(error: CommlibError): boolean {
  return error.context.beforeConnack === true;
}

/** The broker refused the connection with a CONNACK. */
export function connackError(reasonCode: number, target: string): ConnectionError {
  const meaning = CONNACK[reasonCode] ?? { code: 'CONNECTION_REFUSED', text: 'refused by the broker' };
  return new ConnectionError(meaning.code, `${target}: ${meaning.text} (code ${reasonCode})`, {
    permanent: meaning.permanent === true,
    context: { reasonCode },
  });
}

/** The broker said goodbye (MQTT 5). */
export function disconnectError(reasonCode: number, target: string): ConnectionError {
  const why = DISCONNECT[reasonCode] ?? 'no reason given';
  return new ConnectionError(
    'CONNECTION_LOST',
    `${target} ended the connection: ${why} (code ${reasonCode})`,
    {
      context: { reasonCode },
    },
  );
}

/** Any error of a stream or of mqtt.js. `connected`: it came after the CONNACK. */
export function linkError(error: unknown, target: string, connected: boolean): CommlibError {
  if (CommlibError.is(error)) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code === 'number' && !connected && code !== 149) return connackError(code, target);
  const meaning = meaningOf(code, error instanceof Error ? error.message : String(error), connected);
  const beforeConnack = !connected && (code === 'ECONNRESET' || code === 'EPIPE');
  const hint = beforeConnack && /^(mqtts|wss):/.test(target) ? '; is TLS spoken at this port?' : '';
  return new ConnectionError(meaning.code, `${target}: ${meaning.text}${hint}`, {
    cause: error,
    permanent: meaning.permanent === true,
    context: { ...(code === undefined ? {} : { cause: code }), ...(beforeConnack ? { beforeConnack } : {}) },
  });
}

function meaningOf(code: unknown, message: string, connected: boolean): ConnectionMeaning {
  if (typeof code === 'string') return networkMeaning(code, connected);
  if (message === 'connack timeout')
    return { code: 'CONNECTION_TIMEOUT', text: 'no answer to the connection request' };
  if (message === 'Keepalive timeout')
    return { code: 'CONNECTION_LOST', text: 'the broker fell silent (keepalive)' };
  return { code: connected ? 'CONNECTION_LOST' : 'CONNECTION_FAILED', text: message };
}

/** Why the broker refused a publish, by the PUBACK or PUBREC code of MQTT 5 (§3.4.2.1). */
export function publishError(reasonCode: number, topic: string): CommlibError {
  const context = { reasonCode, topic };
  if (reasonCode === 135) {
    return new ConnectionError('NOT_AUTHORIZED', `not authorized to publish to ${topic}`, { context });
  }
  const why = DISCONNECT[reasonCode] ?? (reasonCode === 153 ? 'payload format invalid' : 'refused');
  return new CommlibError(
    'PUBLISH_REFUSED',
    `the broker refused a message to ${topic}: ${why} (code ${reasonCode})`,
    { context },
  );
}

/** Why the broker refused a subscription, by the SUBACK code; 3.1.1 knows only 128 and gives no reason. */
export function subscribeError(reasonCode: number, filter: string): CommlibError {
  const context = { reasonCode, filter };
  if (reasonCode === 135 || reasonCode === 128) {
    const why = reasonCode === 135 ? 'not authorized' : 'refused, probably not authorized';
    return new ConnectionError('NOT_AUTHORIZED', `subscription to ${filter}: ${why} (code ${reasonCode})`, {
      context,
    });
  }
  const why: Readonly<Record<number, string>> = {
    143: 'the filter is not allowed',
    151: 'quota exceeded',
    158: 'the broker has no shared subscriptions',
    161: 'the broker has no subscription identifiers',
    162: 'the broker has no wildcard subscriptions',
  };
  return new CommlibError(
    'SUBSCRIBE_REFUSED',
    `subscription to ${filter}: ${why[reasonCode] ?? 'refused by the broker'} (code ${reasonCode})`,
    { context },
  );
}
