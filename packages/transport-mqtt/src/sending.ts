/** What a publish option means on this link: mqtt.js's options, or why not. */
import { type CommlibError, type SendOptions, UnsupportedError } from '@commlib/core';
import type { IClientPublishOptions } from 'mqtt';
import type { Link } from './link.js';
import type { MqttConfig } from './options.js';

/** The plain case, at most once, shared by all such messages. */
export const PLAIN: IClientPublishOptions = { qos: 0, retain: false };

/** Fixed header, topic length, identifier and the length of the properties, at most. */
const OVERHEAD = 16;

/**
 * Checks what was asked against what the broker can do, as far as it has said so yet.
 * @throws `UnsupportedError`
 */
export function publishOptions(
  options: SendOptions,
  link: Link | undefined,
  config: MqttConfig,
): IClientPublishOptions {
  const keep = options.delivery === 'at-least-once';
  // The broker's word that nobody takes it comes with the confirmation.
  const qos = options.native?.mqtt?.qos ?? (keep || options.mandatory ? 1 : 0);
  const retain = options.retain === true;
  if (options.key !== undefined) throw new UnsupportedError('the option key', 'MQTT has no ordering keys');
  if (keep && qos === 0) throw new UnsupportedError('at-least-once', 'not with quality of service 0');
  if (link) {
    const { maximumQoS } = link.limits;
    if (qos > maximumQoS)
      throw new UnsupportedError(`quality of service ${qos}`, `the broker allows at most ${maximumQoS}`);
    if (retain && !link.limits.retain)
      throw new UnsupportedError('the option retain', 'the broker retains nothing');
  }
  const { headers, expiresInMs, mandatory } = options;
  if (mandatory && (link?.version ?? config.version) === 4)
    throw new UnsupportedError('mandatory', 'an MQTT 3.1.1 broker does not tell');
  if (mandatory && qos !== 1) throw new UnsupportedError('mandatory', 'only with quality of service 1');
  if (headers === undefined && expiresInMs === undefined)
    return qos === 0 && !retain ? PLAIN : { qos, retain };
  if ((link?.version ?? config.version) === 4)
    throw new UnsupportedError(headers ? 'headers' : 'expiry', NEEDS_5);
  return {
    qos,
    retain,
    properties: {
      ...(headers ? { userProperties: { ...headers } } : {}),
      ...(expiresInMs === undefined ? {} : { messageExpiryInterval: expirySeconds(expiresInMs) }),
    },
  };
}

/** Why a capability is missing on 3.1.1. */
export const NEEDS_5 = 'MQTT 3.1.1 has none; it takes a broker (and the option version) of MQTT 5';

/** Whole seconds, rounded up: a message shall not vanish earlier than asked. */
function expirySeconds(ms: number): number {
  return Math.min(0xffff_ffff, Math.max(1, Math.ceil(ms / 1000)));
}

/** Why a message is too large for the broker, which would end the connection over it; otherwise undefined. */
export function tooLarge(
  link: Link,
  topic: string,
  payload: Uint8Array,
  properties?: IClientPublishOptions['properties'],
): CommlibError | undefined {
  const limit = link.limits.maximumPacketSize;
  // A UTF-16 unit is at most three bytes of UTF-8: measured only when that could be too much.
  if (properties === undefined && payload.length + topic.length * 3 + OVERHEAD <= limit) return undefined;
  const size = payload.length + utf8Length(topic) + OVERHEAD + propertiesLength(properties);
  if (size <= limit) return undefined;
  return new UnsupportedError(
    `a message of ${size} bytes to ${topic}`,
    `the broker takes packets of up to ${limit} bytes`,
  );
}

function propertiesLength(properties: IClientPublishOptions['properties']): number {
  let length = 0;
  for (const [name, value] of Object.entries(properties?.userProperties ?? {})) {
    // An identifier, and each text with its length (MQTT 5 §3.3.2.3.7).
    length += 5 + utf8Length(name) + utf8Length(String(value));
  }
  if (properties?.messageExpiryInterval !== undefined) length += 5;
  if (properties?.correlationData !== undefined) length += 3 + properties.correlationData.length;
  return length;
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
