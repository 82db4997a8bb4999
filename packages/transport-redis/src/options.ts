/** What a user can say about a connection, its defaults, and the URL taken apart. */
import { type Backoff, milliseconds, positive, type TlsOptions, UnsupportedError } from '@commlib/core';

/** A master watched by Redis Sentinel. The URL then names the first sentinel. */
export interface RedisSentinelOptions {
  /** The name the sentinels know the master by. */
  readonly name: string;
  /** More sentinels, as `host:port`. */
  readonly nodes?: readonly string[] | undefined;
  /** For the sentinels themselves; the URL's are for the master. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The sentinels speak TLS too, with the same `tls` options. Default: as the URL says. */
  readonly tls?: boolean | undefined;
}

/** A Redis Cluster. The URL names the first node that is asked. */
export interface RedisClusterOptions {
  /** More nodes to ask, as `host:port`. */
  readonly nodes?: readonly string[] | undefined;
  /** The address to use for a node the cluster names: for port mappings of containers. Both are `host:port`. */
  readonly mapAddress?: ((address: string) => string) | undefined;
}

/** Options of {@link redis}. */
export interface RedisOptions {
  /** ACL user. Goes before the one in the URL. */
  readonly username?: string | undefined;
  /** Goes before the one in the URL. */
  readonly password?: string | undefined;
  /** Database number. Goes before the one in the URL's path. Messages of PUBLISH know no databases. Default 0. */
  readonly db?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly sentinel?: RedisSentinelOptions | undefined;
  /** `true`: the URL's host is one of a cluster's nodes. */
  readonly cluster?: boolean | RedisClusterOptions | undefined;
  /** For one attempt: TCP, TLS and the server's answer. Default 10 000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** A connection that is silent is asked for a sign of life after half of this, and given up after all of it. Default 15 000 ms. */
  readonly keepaliveMs?: number | undefined;
  /** Pauses between attempts. Default 100 ms, doubling, up to 10 000 ms, shortened at random by up to half. */
  readonly backoff?: Partial<Backoff> | undefined;
  /** At-least-once messages without the server's confirmation, sent or waiting; more reject with BufferFullError. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /**
   * Patterns this connection has at the server at once: the server tries each of them on every message anybody publishes.
   * Beyond it, several are covered by one that is wider, and the rest is sorted out here. Default 64.
   */
  readonly maxPatterns?: number | undefined;
  /** How long an answer waits for a caller that is gone. Default 60 000 ms. */
  readonly replyExpiryMs?: number | undefined;
  /** Keys of streams begin with this, since a list of the same name is something else. Default `stream:`. */
  readonly streamPrefix?: string | undefined;
  /** Entries a stream keeps, more or less (`MAXLEN ~`): older ones go, **also undelivered ones**. Default: all are kept. */
  readonly maxLength?: number | undefined;
  /**
   * A message a member of a group has held for so long is taken to be abandoned, and goes to another. Members tell of the
   * messages they still work on three times within it. Default 30 000 ms.
   */
  readonly claimIdleMs?: number | undefined;
  /**
   * At least once: a message counts as taken when the append-only file with it is on disk here and at this many replicas
   * (`WAITAOF`, Redis 7.2 and later). Default: when the server has it, whatever its `appendfsync` says.
   */
  readonly waitAof?: { readonly replicas: number; readonly timeoutMs?: number | undefined } | undefined;
}

/** Where a server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Options with the defaults filled in and the URL taken apart. */
export interface RedisConfig {
  /** `redis://host:port`: the server as it may be shown, without credentials. */
  readonly target: string;
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket. */
  readonly path: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  /** Undefined: plain TCP. */
  readonly tls: TlsOptions | undefined;
  readonly sentinel: (RedisSentinelOptions & { readonly endpoints: readonly Endpoint[] }) | undefined;
  readonly cluster:
    | { readonly endpoints: readonly Endpoint[]; readonly mapAddress: (address: string) => string }
    | undefined;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly backoff: Partial<Backoff> | undefined;
  readonly maxBuffered: number;
  readonly maxPatterns: number;
  readonly replyExpiryMs: number;
  readonly streamPrefix: string;
  readonly maxLength: number | undefined;
  readonly claimIdleMs: number;
  readonly waitAof: { readonly replicas: number; readonly timeoutMs: number } | undefined;
}

const DEFAULT_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** @throws `UnsupportedError` for a URL that is none, of another protocol, or that contradicts the options; the URL itself is never shown. */
export function resolveOptions(url: string, options: RedisOptions): RedisConfig {
  const parsed = parseUrl(url, options.sentinel ? SENTINEL_PORT : DEFAULT_PORT);
  const { ca, cert, key } = options.tls ?? {};
  if ((ca ?? cert ?? key) !== undefined && !parsed.secure)
    throw new UnsupportedError('tls without rediss://', 'the URL must begin with rediss://');
  const { sentinel, cluster } = options;
  if (sentinel && cluster) throw wrong('a server is watched by Sentinel or part of a cluster, not both');
  if (parsed.path !== undefined && (sentinel || cluster)) throw wrong('Sentinel and clusters need a host');
  const db = options.db ?? parsed.db ?? 0;
  if (!Number.isInteger(db) || db < 0) throw wrong('the database is a whole number: redis://host/2');
  if (cluster && db !== 0) throw wrong('a cluster has database 0 only');
  const first = { host: parsed.host, port: parsed.port };
  const more = (nodes: readonly string[] | undefined, port: number) => [
    first,
    ...(nodes ?? []).map((node) => endpoint(node, port)),
  ];
  const nodes = typeof cluster === 'object' ? cluster : {};
  const { waitAof } = options;
  return {
    target: parsed.target,
    host: parsed.host,
    port: parsed.port,
    path: parsed.path,
    username: options.username ?? parsed.username,
    password: options.password ?? parsed.password,
    db,
    tls: parsed.secure ? (options.tls ?? {}) : undefined,
    sentinel: sentinel && { ...sentinel, endpoints: more(sentinel.nodes, SENTINEL_PORT) },
    cluster: cluster
      ? { endpoints: more(nodes.nodes, DEFAULT_PORT), mapAddress: nodes.mapAddress ?? ((address) => address) }
      : undefined,
    connectTimeoutMs: milliseconds(options.connectTimeoutMs ?? 10_000, 'connectTimeoutMs'),
    keepaliveMs: milliseconds(options.keepaliveMs ?? 15_000, 'keepaliveMs'),
    backoff: options.backoff,
    maxBuffered: positive(options.maxBuffered ?? 10_000, 'maxBuffered'),
    maxPatterns: positive(options.maxPatterns ?? 64, 'maxPatterns'),
    replyExpiryMs: positive(options.replyExpiryMs ?? 60_000, 'replyExpiryMs'),
    streamPrefix: options.streamPrefix ?? 'stream:',
    maxLength: options.maxLength === undefined ? undefined : positive(options.maxLength, 'maxLength'),
    claimIdleMs: positive(options.claimIdleMs ?? 30_000, 'claimIdleMs'),
    waitAof: waitAof && { replicas: waitAof.replicas, timeoutMs: waitAof.timeoutMs ?? 5_000 },
  };
}

interface ParsedUrl {
  readonly target: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number | undefined;
}

function parseUrl(url: string, defaultPort: number): ParsedUrl {
  if (!URL.canParse(url)) throw wrong('it must look like redis://host:6379');
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  const credentials = { username: decode(parsed.username), password: decode(parsed.password) };
  if (protocol === 'unix' || protocol === 'redis+unix') {
    if (parsed.hostname !== '') throw wrong('a Unix socket has no host: unix:///run/redis.sock');
    const path = decodeURIComponent(parsed.pathname);
    if (path === '' || path === '/') throw wrong('it names no socket: unix:///run/redis.sock');
    const db = parsed.searchParams.get('db');
    return {
      ...credentials,
      target: `unix:${path}`,
      secure: false,
      host: 'localhost',
      port: 0,
      path,
      db: number(db),
    };
  }
  if (protocol !== 'redis' && protocol !== 'rediss')
    throw wrong('it must begin with redis://, rediss:// or unix://');
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw wrong('it names no host');
  // A / ? or # in a password ends the host too early, and what follows looks like a path.
  if (parsed.hash !== '' || parsed.search !== '' || !/^(\/\d*)?$/.test(parsed.pathname))
    throw wrong(
      'only a database number may follow the host; in a password / ? # and @ must be written %2F %3F %23 and %40',
    );
  const port = parsed.port === '' ? defaultPort : Number(parsed.port);
  return {
    ...credentials,
    target: `${protocol}://${parsed.hostname}:${port}`,
    secure: protocol === 'rediss',
    host,
    port,
    path: undefined,
    db: number(parsed.pathname.slice(1)),
  };
}

/** Whatever is wrong with it, the URL is not shown: any part of it may be a piece of the password. */
function wrong(reason: string): UnsupportedError {
  return new UnsupportedError('the server URL', reason);
}

function number(text: string | null): number | undefined {
  return text === null || text === '' ? undefined : Number(text);
}

/** `host:port`, IPv6 in brackets or not. */
export function endpoint(text: string, defaultPort: number): Endpoint {
  const match = /^(?:\[(.*)\]|(.*?))(?::(\d+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (!host) throw new UnsupportedError('the address of a node', 'it must look like host:6379');
  return { host, port: match?.[3] === undefined ? defaultPort : Number(match[3]) };
}

function decode(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that begins no escape: taken as it is.
  }
}
