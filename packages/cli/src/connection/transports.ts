/** Which broker types have a transport. A further one is one line here: its package is loaded only when it is used. */
import { CommlibError, type Transport } from '@commlib/core';
import type { BrokerType } from '../settings/given.js';
import { type Settings, targetOf } from '../settings/resolve.js';
import { UsageError } from '../terminal/exit-codes.js';

/** The settings with the files read. */
export interface Access extends Settings {
  readonly tlsFiles: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

/** Makes an idle transport. */
export type OpenTransport = (access: Access) => Transport | Promise<Transport>;

/** Broker type → how its transport is made, or the reason why there is none. */
export type TransportRegistry = Readonly<Record<BrokerType, OpenTransport | string>>;

/** What this version brings. */
export const transports: TransportRegistry = {
  mqtt: async (access) => openMqtt(access, (await import('@commlib/transport-mqtt')).mqtt),
  amqp: 'there is no AMQP transport yet (@commlib/transport-amqp); RabbitMQ can be reached with --btype mqtt through its MQTT plugin',
  redis: 'there is no Redis transport yet (@commlib/transport-redis)',
  kafka: 'there is no Kafka transport yet (@commlib/transport-kafka)',
};

/** For Hummingbot: bots speak MQTT, so AMQP means the MQTT side of the same RabbitMQ. */
export const botTransports: TransportRegistry = transports;

/** @throws {@link CommlibError} `UNSUPPORTED` for a type without a transport. */
export async function openTransport(registry: TransportRegistry, access: Access): Promise<Transport> {
  const open = registry[access.btype];
  if (typeof open === 'string') throw new CommlibError('UNSUPPORTED', `broker type ${access.btype}: ${open}`);
  return open(access);
}

function openMqtt(access: Access, mqtt: typeof import('@commlib/transport-mqtt').mqtt): Transport {
  if (access.vhost !== undefined && access.vhost !== '/')
    throw new UsageError("MQTT has no virtual hosts; RabbitMQ takes them in the user name, as 'vhost:user'");
  if (access.db !== undefined && access.db !== 0)
    throw new UsageError('MQTT has no databases (--db is for redis)');
  const { ca, cert, key } = access.tlsFiles;
  return mqtt(`${targetOf(access)}${access.path}`, {
    username: access.username,
    password: access.password,
    connectTimeoutMs: access.connectTimeoutMs,
    tls: {
      ca,
      cert,
      key,
      servername: access.servername,
      rejectUnauthorized: access.insecure ? false : undefined,
    },
  });
}
