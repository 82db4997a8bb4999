/** mqtt.js's options for one link: framing, keep-alive and TLS are its work, everything else is ours. */
import { toName } from '@commlib/core';
import type { IClientOptions } from 'mqtt';
import { asBuffer, asBuffers } from './bytes.js';
import type { LinkOptions } from './link.js';
import { mqttNames } from './names.js';
import type { MqttConfig } from './options.js';
import type { PacketIds } from './packet-ids.js';

export function clientOptions(config: MqttConfig, options: LinkOptions, ids: PacketIds): IClientOptions {
  const { tls } = config;
  const session = options.session;
  // mqtt.js hands certificates to the WebSocket, but not the name to ask for.
  const wsOptions: Record<string, unknown> = { ...config.wsOptions };
  if (tls.servername !== undefined) wsOptions.servername ??= tls.servername;
  return {
    protocol: config.protocol,
    host: config.host,
    hostname: config.host.includes(':') && config.path ? `[${config.host}]` : config.host,
    port: config.port,
    ...(config.path ? { path: config.path, wsOptions } : {}),
    protocolVersion: options.version,
    clientId: options.clientId,
    clean: session === undefined,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(tls.ca === undefined ? {} : { ca: asBuffers(tls.ca) }),
    ...(tls.cert === undefined ? {} : { cert: asBuffers(tls.cert) }),
    ...(tls.key === undefined ? {} : { key: asBuffers(tls.key) }),
    ...(tls.passphrase === undefined ? {} : { passphrase: tls.passphrase }),
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
    ...(tls.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: tls.rejectUnauthorized }),
    ...(options.will ? { will: options.will } : {}),
    keepalive: config.keepaliveSeconds,
    connectTimeout: config.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: ids,
    log: () => {},
    ...(options.version === 5
      ? {
          properties: {
            maximumPacketSize: config.maxPacketBytes,
            ...(session
              ? { sessionExpiryInterval: session.expirySeconds, receiveMaximum: session.receiveMaximum }
              : { receiveMaximum: 65_535 }),
          },
        }
      : {}),
  };
}

/** The will as mqtt.js wants it. Throws for a topic nothing can be sent to. */
export function willOf({ will }: MqttConfig): IClientOptions['will'] {
  if (will === undefined) return undefined;
  const payload = typeof will.payload === 'string' ? will.payload : asBuffer(will.payload);
  const topic = mqttNames.address(toName(will.topic));
  return { topic, payload, qos: will.qos ?? 0, retain: will.retain ?? false };
}
