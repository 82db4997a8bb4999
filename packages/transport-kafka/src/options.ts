/** What a user can say about a connection, its defaults, and the URL taken apart. */
import {
  type Backoff,
  milliseconds,
  positive,
  randomHex,
  type TlsOptions,
  timerMs,
  UnsupportedError,
} from '@commlib/core';

/** User name and password, by one of Kafka's ways to check them. */
export interface KafkaSaslOptions {
  /** Default `plain`, as commlib-py. */
  readonly mechanism?: KafkaSaslMechanism | undefined;
  readonly username: string;
  readonly password: string;
}

export type KafkaSaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

/** What becomes of a topic that does not exist yet. */
export interface KafkaTopicOptions {
  /** `false`: publishing or subscribing to a missing topic rejects with `TOPIC_NOT_FOUND`. Default `true`. */
  readonly create?: boolean | undefined;
  /** Default 1, which keeps the whole topic in order; a group has at most as many working members. */
  readonly partitions?: number | undefined;
  /** Default -1: the broker's own `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Configuration entries of created topics, as `retention.ms`. Reply topics get their own. */
  readonly config?: Readonly<Record<string, string>> | undefined;
}

/** Where a broker listens. */
export interface KafkaAddress {
  readonly host: string;
  readonly port: number;
}

/** A codec as kafkajs takes it: a function that makes one. See `CompressionCodecs` of kafkajs. */
export type KafkaCodec = () => unknown;

/** Names of Kafka's codecs. */
export type KafkaCompression = 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Options of {@link kafka}. */
export interface KafkaOptions {
  /** Shown in the broker's logs and quotas. Default: `commlib-` and 32 random hex digits. */
  readonly clientId?: string | undefined;
  /** Goes before user name and password of the URL. */
  readonly sasl?: KafkaSaslOptions | undefined;
  /** TLS with these options, or with the system's authorities (`true`). Default: by the URL, `false` for a list of brokers. */
  readonly tls?: TlsOptions | boolean | undefined;
  /**
   * Where a broker is really reached, given the host and port it tells of itself: for brokers behind a tunnel or a port
   * mapping they know nothing of. TLS still checks the name the broker told. Default: there.
   */
  readonly route?: ((broker: KafkaAddress) => KafkaAddress) | undefined;
  readonly topics?: KafkaTopicOptions | undefined;
  /** Acknowledgement an at-most-once message asks of the leader: 0 none, 1 the leader wrote it. Default 1. */
  readonly acks?: 0 | 1 | undefined;
  /** Compression of what is sent. Other codecs than gzip must be registered in `codecs`. Default none. */
  readonly compression?: KafkaCompression | undefined;
  /**
   * Codecs for Snappy, LZ4 and ZSTD, which kafkajs does not bring. kafkajs has one table of codecs for the whole process;
   * one that is there already stays. Without a codec, messages packed by it are reported as dropped.
   */
  readonly codecs?: Readonly<Partial<Record<'snappy' | 'lz4' | 'zstd', KafkaCodec>>> | undefined;
  /**
   * How long a message waits for others while the connection is busy, in milliseconds. On a quiet connection it goes out at
   * once, and what comes while a request is under way goes out together after it. Default 0.
   */
  readonly lingerMs?: number | undefined;
  /** Bytes of messages sent in one piece to one partition; the broker's `message.max.bytes` must be above. Default 900 000. */
  readonly maxBatchBytes?: number | undefined;
  /** Messages without the broker's confirmation, sent or waiting; more reject with BufferFullError. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /** How often topics are listed while a subscription has a wildcard. Default 1000 ms. */
  readonly topicPollMs?: number | undefined;
  /** How long the broker holds a read that finds nothing. Default 250 ms. */
  readonly fetchWaitMs?: number | undefined;
  /** A member of a group that is silent for so long loses its partitions to the others. Default 10 000 ms. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Progress of a group is written at most so often. Default 100 ms. */
  readonly commitIntervalMs?: number | undefined;
  /** For one attempt to reach one broker: TCP, TLS. Default 10 000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** A broker that leaves a request unanswered for so long counts as lost. Default 10 000 ms. */
  readonly requestTimeoutMs?: number | undefined;
  /** Pauses between attempts. Default 100 ms, doubling, up to 10 000 ms, shortened at random by up to half. */
  readonly backoff?: Partial<Backoff> | undefined;
}

/** Options with the defaults filled in and the URL taken apart. */
export interface KafkaConfig {
  /** `kafka://host:port`: the brokers as they may be shown, without credentials. */
  readonly target: string;
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly sasl: Required<KafkaSaslOptions> | undefined;
  /** Undefined: no TLS. */
  readonly tls: TlsOptions | undefined;
  readonly route: (broker: KafkaAddress) => KafkaAddress;
  readonly create: boolean;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly topicConfig: Readonly<Record<string, string>>;
  readonly acks: 0 | 1;
  readonly compression: KafkaCompression | undefined;
  readonly codecs: Readonly<Partial<Record<'snappy' | 'lz4' | 'zstd', KafkaCodec>>>;
  readonly lingerMs: number;
  readonly maxBatchBytes: number;
  readonly maxBuffered: number;
  readonly topicPollMs: number;
  readonly fetchWaitMs: number;
  readonly sessionTimeoutMs: number;
  readonly commitIntervalMs: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly backoff: Partial<Backoff> | undefined;
}

interface Place {
  readonly brokers: readonly string[];
  readonly secure: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** @throws `UnsupportedError` for a URL that is none, of another protocol, or that contradicts `tls`; the URL itself is never shown. */
export function resolveOptions(where: string | readonly string[], options: KafkaOptions): KafkaConfig {
  const place = typeof where === 'string' ? parseUrl(where) : parseList(where);
  if (place.secure && options.tls === false) {
    throw new UnsupportedError('tls: false with kafkas://', 'the URL must begin with kafka://');
  }
  if (typeof where === 'string' && !place.secure && options.tls !== undefined && options.tls !== false) {
    throw new UnsupportedError('tls with kafka://', 'the URL must begin with kafkas://');
  }
  const secure = place.secure || (options.tls !== undefined && options.tls !== false);
  const { topics = {} } = options;
  const replication = topics.replicationFactor ?? -1;
  return {
    target: `${secure ? 'kafkas' : 'kafka'}://${place.brokers.join(',')}`,
    brokers: place.brokers,
    clientId: options.clientId ?? `commlib-${randomHex()}`,
    sasl: saslOf(place, options.sasl),
    tls: secure ? (typeof options.tls === 'object' ? options.tls : {}) : undefined,
    route: options.route ?? ((broker) => broker),
    create: topics.create ?? true,
    partitions: positive(topics.partitions ?? 1, 'topics.partitions'),
    replicationFactor: replication === -1 ? -1 : positive(replication, 'topics.replicationFactor'),
    topicConfig: topics.config ?? {},
    acks: options.acks ?? 1,
    compression: options.compression,
    codecs: options.codecs ?? {},
    lingerMs: timerMs(milliseconds(options.lingerMs ?? 0, 'lingerMs')),
    maxBatchBytes: positive(options.maxBatchBytes ?? 900_000, 'maxBatchBytes'),
    maxBuffered: positive(options.maxBuffered ?? 10_000, 'maxBuffered'),
    topicPollMs: timerMs(milliseconds(options.topicPollMs ?? 1000, 'topicPollMs')),
    fetchWaitMs: timerMs(milliseconds(options.fetchWaitMs ?? 250, 'fetchWaitMs')),
    sessionTimeoutMs: positive(options.sessionTimeoutMs ?? 10_000, 'sessionTimeoutMs'),
    commitIntervalMs: timerMs(milliseconds(options.commitIntervalMs ?? 100, 'commitIntervalMs')),
    connectTimeoutMs: timerMs(milliseconds(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs')),
    requestTimeoutMs: timerMs(milliseconds(options.requestTimeoutMs ?? 10_000, 'requestTimeoutMs')),
    backoff: options.backoff,
  };
}

function saslOf(place: Place, given: KafkaSaslOptions | undefined): Required<KafkaSaslOptions> | undefined {
  const username = given?.username ?? place.username;
  const password = given?.password ?? place.password;
  if (username === undefined && password === undefined) return undefined;
  const mechanism = given?.mechanism ?? 'plain';
  if (mechanism !== 'plain' && mechanism !== 'scram-sha-256' && mechanism !== 'scram-sha-512') {
    throw new UnsupportedError('the SASL mechanism', 'it must be plain, scram-sha-256 or scram-sha-512');
  }
  if (username === undefined || password === undefined) {
    throw new UnsupportedError('SASL', 'it takes a user name and a password');
  }
  return { mechanism, username, password };
}

/** `kafka://user:password@host1:9092,host2:9092`, which is no URL by the standard: several hosts. */
function parseUrl(url: string): Place {
  // Whatever is wrong with it, the URL is not shown: any part of it may be a piece of the password.
  const wrong = (reason: string) => new UnsupportedError('the broker URL', reason);
  const parts = /^(kafkas?):\/\/(?:([^@]*)@)?([^@]*)$/.exec(url);
  if (!parts) {
    if (!/^kafkas?:\/\//.test(url)) throw wrong('it must look like kafka://host:9092 or kafkas://host:9093');
    throw wrong('in a user name or password / ? # and @ must be written %2F %3F %23 and %40');
  }
  const [, protocol, credentials, rest = ''] = parts;
  const hosts = rest.replace(/\/$/, '');
  if (/[/?#]/.test(hosts) || (credentials !== undefined && /[/?#]/.test(credentials))) {
    throw wrong('something follows the hosts; in a password / ? # and @ must be written %2F %3F %23 and %40');
  }
  const colon = credentials?.indexOf(':') ?? -1;
  const user = colon < 0 ? credentials : credentials?.slice(0, colon);
  const pass = colon < 0 ? undefined : credentials?.slice(colon + 1);
  return {
    brokers: hosts.split(',').map((host) => checkBroker(host, wrong)),
    secure: protocol === 'kafkas',
    username: decode(user),
    password: decode(pass),
  };
}

function parseList(brokers: readonly string[]): Place {
  const wrong = (reason: string) => new UnsupportedError('the list of brokers', reason);
  if (brokers.length === 0) throw wrong('it is empty');
  return {
    brokers: brokers.map((broker) => checkBroker(broker, wrong)),
    secure: false,
    username: undefined,
    password: undefined,
  };
}

function checkBroker(text: string, wrong: (reason: string) => Error): string {
  const broker = text.trim();
  // kafkajs splits at the first colon.
  if (broker.includes('[') || broker.split(':').length > 2)
    throw wrong(
      'brokers are host:port; numeric IPv6 addresses are not supported by kafkajs, use a host name',
    );
  const [host = '', port = '9092'] = broker.split(':');
  if (!/^[a-zA-Z0-9._-]+$/.test(host)) throw wrong('it names no host');
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw wrong('a port is a number below 65536');
  return `${host}:${port}`;
}

function decode(part: string | undefined): string | undefined {
  if (part === undefined || part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that begins no escape: taken as it is.
  }
}
