/** One picture from all sources: flags before environment before file. */
import { isIPv6 } from 'node:net';
import { UsageError } from '../terminal/exit-codes.js';
import { type Place, readBrokerUrl } from './broker-url.js';
import type { BrokerType, Given, Source } from './given.js';

/** Everything that is needed to connect. Times in milliseconds; files still to be read. */
export interface Settings {
  readonly btype: BrokerType;
  readonly tls: boolean;
  readonly websocket: boolean;
  readonly host: string;
  /** Undefined: the protocol's own. */
  readonly port: number | undefined;
  readonly path: string;
  readonly vhost: string | undefined;
  readonly db: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
  readonly insecure: boolean;
  /** Undefined: the command's own default. */
  readonly timeoutMs: number | undefined;
  readonly connectTimeoutMs: number;
  readonly namespace: string | undefined;
  readonly inboxPrefix: string | undefined;
}

const DEFAULT_CONNECT_TIMEOUT_S = 5;
const PORTS: Readonly<Record<string, number>> = {
  mqtt: 1883,
  mqtts: 8883,
  ws: 80,
  wss: 443,
  amqp: 5672,
  amqps: 5671,
  redis: 6379,
  rediss: 6379,
  kafka: 9092,
  kafkas: 9093,
};
/** Flags that make no sense without TLS, so that giving one switches it on. */
const tlsFlags = ['ca', 'cert', 'key', 'servername', 'insecure'] as const;

/**
 * Merges the sources, the first one first. A source that names a host brings its own credentials: those of a lower
 * source with another host are left out, so that no password is sent to a broker it was not written for.
 *
 * @throws {@link UsageError}
 */
export function resolveSettings(sources: readonly Source[]): Settings {
  const first = <K extends keyof Given>(key: K): Given[K] =>
    sources.find((s) => s.given[key] !== undefined)?.given[key];
  const places = sources.map((source) => placeOf(source));
  const ruling = places.findIndex((place) => place !== undefined);
  const place = places[ruling];

  const btype = first('btype') ?? place?.btype ?? 'mqtt';
  const url = place && 'tls' in place ? place : undefined;
  if (url && url.btype !== btype) {
    throw new UsageError(`the broker URL is for ${url.btype}, but the broker type is ${btype}`);
  }
  const flags = sources[0]?.given;
  const tlsByFlag =
    flags !== undefined && tlsFlags.some((flag) => flags[flag] !== undefined && flags[flag] !== false);
  const timeout = first('timeout');
  return {
    btype,
    tls: tlsByFlag || (flags?.tls ?? url?.tls ?? first('tls') ?? false),
    websocket: url?.websocket ?? false,
    host: place?.host ?? 'localhost',
    port: portOf(sources, ruling, url),
    path: url?.path ?? '',
    vhost: first('vhost') ?? url?.vhost,
    db: first('db') ?? url?.db,
    ...credentialsOf(sources, places, ruling),
    ca: first('ca'),
    cert: first('cert'),
    key: first('key'),
    servername: first('servername'),
    insecure: first('insecure') ?? false,
    timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    connectTimeoutMs: (first('connectTimeout') ?? DEFAULT_CONNECT_TIMEOUT_S) * 1000,
    namespace: first('namespace'),
    inboxPrefix: first('inboxPrefix'),
  };
}

/** `mqtts://host:8883`: the broker without credentials, for messages. */
export function targetOf(settings: Settings): string {
  const { btype, websocket, tls, host, port } = settings;
  const scheme = `${websocket ? 'ws' : btype}${tls ? 's' : ''}`;
  const number = port ?? PORTS[scheme];
  return `${scheme}://${host}${number === undefined ? '' : `:${number}`}`;
}

type HostOnly = Pick<Place, 'host'> & { readonly btype?: undefined };

function placeOf({ given, name }: Source): Place | HostOnly | undefined {
  if (given.broker !== undefined) {
    if (given.host !== undefined)
      throw new UsageError(`${name} gives both a broker URL and a host: one of them is enough`);
    return readBrokerUrl(given.broker, name);
  }
  return given.host === undefined ? undefined : { host: readHost(given.host, name) };
}

/** A host as it stands in a URL. @throws UsageError */
function readHost(text: string, from: string): string {
  const refuse = (why: string) => new UsageError(`the host ${JSON.stringify(text)} of ${from} ${why}`);
  if (isIPv6(text)) return `[${text}]`;
  if (text.includes('://')) throw refuse('is a URL: give it as --broker');
  if (/^[^:]+:\d+$/.test(text)) throw refuse('has a port: give it as --port');
  // As http, since for other schemes the parser leaves names outside of ASCII as they are.
  const url = URL.canParse(`http://${text}`) ? new URL(`http://${text}`) : undefined;
  if (url === undefined || /[/?#@\\]/.test(text)) throw refuse('is not a host name');
  return url.hostname;
}

/** A port counts when it comes from the source of the host, or from one above it, or when no source names a host. */
function portOf(sources: readonly Source[], ruling: number, url: Place | undefined): number | undefined {
  for (const [i, { given }] of sources.entries()) {
    if (ruling >= 0 && i > ruling) return undefined;
    if (given.port !== undefined) return given.port;
    if (i === ruling && url?.port !== undefined) return url.port;
  }
  return undefined;
}

/**
 * User name and password may come from different sources, which is the way to keep passwords off the command line.
 * Left out are those of sources below the host's that name another host.
 */
function credentialsOf(
  sources: readonly Source[],
  places: readonly (Place | HostOnly | undefined)[],
  ruling: number,
) {
  const own = sources.flatMap(({ given }, i) => {
    const place = places[i];
    if (place !== undefined && i > ruling) return [];
    const url = place && 'tls' in place ? place : undefined;
    const { username = url?.username, password = url?.password, passwordFile } = given;
    return [{ username, password, passwordFile }];
  });
  const secret = own.find(
    ({ password, passwordFile }) => password !== undefined || passwordFile !== undefined,
  );
  return {
    username: own.find(({ username }) => username !== undefined)?.username,
    password: secret?.password,
    passwordFile: secret?.password === undefined ? secret?.passwordFile : undefined,
  };
}
