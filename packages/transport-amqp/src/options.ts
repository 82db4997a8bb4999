/** What a user can say about a connection, its defaults, and the URLs taken apart. */
import {
  type Backoff,
  milliseconds,
  positive,
  type TlsOptions,
  timerMs,
  UnsupportedError,
} from '@commlib/core';

/** How names become routing keys. */
export type AmqpNames = 'amqp' | 'mqtt';

/** Options of {@link amqp}. */
export interface AmqpOptions {
  /** Goes before the one in the URL. Default (without a password either): `guest`. */
  readonly username?: string | undefined;
  /** Goes before the one in the URL. Default (without a user name either): `guest`. */
  readonly password?: string | undefined;
  /** Virtual host. Goes before the path of the URL. Default `/`. */
  readonly vhost?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  /** The topic exchange that messages are published to. Made (durable) when it does not exist. Default `amq.topic`. */
  readonly exchange?: string | undefined;
  /**
   * `amqp`: names are kept, requests go to the default exchange, as in commlib-py's AMQP transport.
   * `mqtt`: this connection meets MQTT endpoints on the same RabbitMQ: `/` becomes `.`, requests and answers go over the
   * topic exchange, reply addresses are written as MQTT topics. Default `amqp`.
   */
  readonly names?: AmqpNames | undefined;
  /**
   * `commlib`: the queues of at-most-once subscriptions and of exclusive services get the arguments of commlib-py's own (ten
   * messages at most, the oldest dropped, none older than 60 s). Default: no limits.
   */
  readonly queueArguments?: 'commlib' | undefined;
  /** Where no answer to a heartbeat in twice this time means that the link is dead; whole seconds, 0 for none. Default 10 000 ms. */
  readonly heartbeatMs?: number | undefined;
  /** For one attempt at one host: TCP, TLS and the broker's answers. Default 10 000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** Pauses between attempts. Default 100 ms, doubling, up to 10 000 ms, shortened at random by up to half. */
  readonly backoff?: Partial<Backoff> | undefined;
  /**
   * At-least-once messages without the broker's confirmation, sent or waiting; and at-most-once messages that wait for a
   * congested connection. More reject with BufferFullError. Default 10 000.
   */
  readonly maxBuffered?: number | undefined;
  /** At-least-once messages under way without confirmation. Default 1000. */
  readonly confirmWindow?: number | undefined;
  /**
   * The largest message sent or taken in; larger ones are refused, or reported as dropped. RabbitMQ 4 refuses more than
   * 16 MiB by default. Default 16 777 216 (16 MiB).
   */
  readonly maxMessageBytes?: number | undefined;
  /** How long a durable (at-least-once) group without members is kept, with what it holds. Default: for ever. */
  readonly groupExpiryMs?: number | undefined;
  /** What RabbitMQ shows as the name of the connection. Default `commlib`. */
  readonly connectionName?: string | undefined;
}

/** One way to the broker. */
export interface AmqpHost {
  /** `amqps://host:port`: as it may be shown, without credentials. */
  readonly target: string;
  readonly protocol: 'amqp' | 'amqps';
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
}

/** Options with the defaults filled in and the URLs taken apart. */
export interface AmqpConfig {
  readonly hosts: readonly AmqpHost[];
  /** All of them, as they may be shown. */
  readonly target: string;
  readonly tls: TlsOptions;
  readonly exchange: string;
  readonly names: AmqpNames;
  readonly commlibQueues: boolean;
  readonly heartbeatSeconds: number;
  readonly connectTimeoutMs: number;
  readonly backoff: Partial<Backoff> | undefined;
  readonly maxBuffered: number;
  readonly confirmWindow: number;
  readonly maxMessageBytes: number;
  readonly groupExpiryMs: number | undefined;
  readonly connectionName: string;
}

const PORTS = { amqp: 5672, amqps: 5671 } as const;

/** @throws `UnsupportedError` for a URL that is none, of another protocol, or that contradicts `tls`; no URL is ever shown. */
export function resolveOptions(urls: string | readonly string[], options: AmqpOptions): AmqpConfig {
  const list = typeof urls === 'string' ? [urls] : urls;
  if (list.length === 0) throw new UnsupportedError('the broker URL', 'at least one is needed');
  const hosts = list.map((url) => resolveHost(url, options));
  const exchange = options.exchange ?? 'amq.topic';
  if (exchange === '' || Buffer.byteLength(exchange) > 255)
    throw new UnsupportedError('the option exchange', 'it must be a name of 1 to 255 bytes');
  return {
    hosts,
    target: hosts.map((host) => host.target).join(', '),
    tls: options.tls ?? {},
    exchange,
    names: options.names ?? 'amqp',
    commlibQueues: options.queueArguments === 'commlib',
    heartbeatSeconds: Math.min(
      65_535,
      Math.ceil(milliseconds(options.heartbeatMs ?? 10_000, 'heartbeatMs') / 1000),
    ),
    connectTimeoutMs: timerMs(options.connectTimeoutMs ?? 10_000),
    backoff: options.backoff,
    maxBuffered: positive(options.maxBuffered ?? 10_000, 'maxBuffered'),
    confirmWindow: positive(options.confirmWindow ?? 1000, 'confirmWindow'),
    maxMessageBytes: positive(options.maxMessageBytes ?? 16_777_216, 'maxMessageBytes'),
    groupExpiryMs:
      options.groupExpiryMs === undefined
        ? undefined
        : positive(Math.ceil(options.groupExpiryMs), 'groupExpiryMs'),
    connectionName: options.connectionName ?? 'commlib',
  };
}

function resolveHost(url: string, options: AmqpOptions): AmqpHost {
  // Whatever is wrong with it, the URL is not shown: any part of it may be a piece of the password.
  const wrong = (reason: string) => new UnsupportedError('the broker URL', reason);
  if (!URL.canParse(url)) throw wrong('it must look like amqp://host:5672/vhost');
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  if (protocol !== 'amqp' && protocol !== 'amqps') throw wrong('it must begin with amqp:// or amqps://');
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw wrong('it names no host');
  const path = parsed.pathname.replace(/^\//, '');
  // A / ? or # in a password ends the host too early, and what follows looks like a virtual host.
  if (parsed.hash !== '' || parsed.search !== '' || path.includes('@') || path.includes('/')) {
    throw wrong(
      'something but a virtual host follows the host; in a password / ? # and @ must be written %2F %3F %23 and %40, in a virtual host / as %2F; parameters are options of amqp()',
    );
  }
  const { ca, cert, key } = options.tls ?? {};
  if ((ca ?? cert ?? key) !== undefined && protocol === 'amqp')
    throw new UnsupportedError('tls with amqp://', 'the URL must begin with amqps://');
  const port = parsed.port === '' ? PORTS[protocol] : Number(parsed.port);
  const username = options.username ?? decode(parsed.username);
  const password = options.password ?? decode(parsed.password);
  const nobody = username === undefined && password === undefined;
  return {
    target: `${protocol}://${parsed.hostname}:${port}`,
    protocol,
    host,
    port,
    username: nobody ? 'guest' : (username ?? ''),
    password: nobody ? 'guest' : (password ?? ''),
    vhost: options.vhost ?? decode(path) ?? '/',
  };
}

function decode(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that begins no escape: taken as it is.
  }
}
