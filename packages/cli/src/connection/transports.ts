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
  amqp: async (access) => openAmqp(access, (await import('@commlib/transport-amqp')).amqp),
  redis: async (access) => openRedis(access, (await import('@commlib/transport-redis')).redis),
  kafka: async (access) => openKafka(access, (await import('@commlib/transport-kafka')).kafka),
};

/** For Hummingbot: bots speak MQTT, so AMQP means the MQTT side of the same RabbitMQ. */
export const botTransports: TransportRegistry = {
  ...transports,
  amqp: async (access) => openAmqp(access, (await import('@commlib/transport-amqp')).amqp, { names: 'mqtt' }),
};

/** @throws {@link CommlibError} `UNSUPPORTED` for a type without a transport. */
export async function openTransport(registry: TransportRegistry, access: Access): Promise<Transport> {
  const open = registry[access.btype];
  if (typeof open === 'string') throw new CommlibError('UNSUPPORTED', `broker type ${access.btype}: ${open}`);
  return open(access);
}

function openMqtt(access: Access, mqtt: typeof import('@commlib/transport-mqtt').mqtt): Transport {
  if (access.vhost !== undefined && access.vhost !== '/')
    throw new UsageError("MQTT has no virtual hosts; RabbitMQ takes them in the user name, as 'vhost:user'");
  noDatabase(access);
  return mqtt(`${targetOf(access)}${access.path}`, {
    username: access.username,
    password: access.password,
    connectTimeoutMs: access.connectTimeoutMs,
    tls: tlsOf(access),
  });
}

function openAmqp(
  access: Access,
  amqp: typeof import('@commlib/transport-amqp').amqp,
  more: import('@commlib/transport-amqp').AmqpOptions = {},
): Transport {
  noDatabase(access);
  const { vhost } = access;
  return amqp(`${targetOf(access)}${vhost === undefined ? '' : `/${encodeURIComponent(vhost)}`}`, {
    username: access.username,
    password: access.password,
    connectTimeoutMs: access.connectTimeoutMs,
    tls: access.tls ? tlsOf(access) : undefined,
    ...more,
  });
}

function openRedis(access: Access, redis: typeof import('@commlib/transport-redis').redis): Transport {
  noVirtualHost(access);
  return redis(targetOf(access), {
    username: access.username,
    password: access.password,
    db: access.db,
    connectTimeoutMs: access.connectTimeoutMs,
    tls: access.tls ? tlsOf(access) : undefined,
  });
}

function openKafka(access: Access, kafka: typeof import('@commlib/transport-kafka').kafka): Transport {
  noVirtualHost(access);
  noDatabase(access);
  const { username, password } = access;
  return kafka(targetOf(access), {
    sasl: username === undefined ? undefined : { username, password: password ?? '' },
    connectTimeoutMs: access.connectTimeoutMs,
    tls: access.tls ? tlsOf(access) : undefined,
  });
}

function tlsOf({ tlsFiles: { ca, cert, key }, servername, insecure }: Access) {
  return { ca, cert, key, servername, rejectUnauthorized: insecure ? false : undefined };
}

function noVirtualHost({ vhost, btype }: Access): void {
  if (vhost !== undefined && vhost !== '/')
    throw new UsageError(`${btype} has no virtual hosts (--vhost is for amqp)`);
}

function noDatabase({ db, btype }: Access): void {
  if (db !== undefined && db !== 0) throw new UsageError(`${btype} has no databases (--db is for redis)`);
}
