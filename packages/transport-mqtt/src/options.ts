/** What a user can say about a connection, its defaults, and the URL taken apart. */
import { type Backoff, type NameInput, type TlsOptions, timerMs, UnsupportedError } from '@commlib/core';

/** What the broker publishes when this connection ends without a goodbye. */
export interface MqttWill {
  readonly topic: NameInput;
  readonly payload: Uint8Array | string;
  /** Default 0. */
  readonly qos?: 0 | 1 | 2 | undefined;
  /** Default `false`. */
  readonly retain?: boolean | undefined;
}

/** Options of {@link mqtt}. */
export interface MqttOptions {
  /**
   * Protocol version: 5, 4 (that is 3.1.1), or `auto`: 5 first, 3.1.1 when the broker refuses it. Default `auto`.
   */
  readonly version?: 5 | 4 | 'auto' | undefined;
  /** Default: `commlib-` and 16 random hex digits. Two connections of one id end each other. */
  readonly clientId?: string | undefined;
  /** Goes before the one in the URL. */
  readonly username?: string | undefined;
  /** Goes before the one in the URL. */
  readonly password?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly will?: MqttWill | undefined;
  /** A link is given up 1.5 times this after the broker fell silent; whole seconds. Default 30 000 ms. */
  readonly keepaliveMs?: number | undefined;
  /** For one attempt: TCP, TLS and the broker's answer. Default 10 000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** Pauses between attempts. Default 100 ms, doubling, up to 10 000 ms, shortened at random by up to half. */
  readonly backoff?: Partial<Backoff> | undefined;
  /** At-least-once messages without the broker's confirmation, sent or waiting; more reject with BufferFullError. Default 10 000. */
  readonly maxBuffered?: number | undefined;
  /**
   * The largest MQTT packet taken in. On MQTT 5 the broker is told and drops larger ones without a word; on 3.1.1 they
   * arrive and are reported as dropped. Default 16 777 216 (16 MiB).
   */
  readonly maxPacketBytes?: number | undefined;
  /** How long the broker keeps what a durable (at-least-once) group missed; MQTT 5 only. Default 604 800 000 ms (7 days). */
  readonly sessionExpiryMs?: number | undefined;
  /** MQTT 3.1.1 has no shared subscriptions, yet some brokers do: try it out at the first connect. Default `false`. */
  readonly probeSharedSubscriptions?: boolean | undefined;
  /** Passed to the `ws` package in Node (headers, agent); ignored in browsers. */
  readonly wsOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** Protocols of the URL. */
export type MqttProtocol = 'mqtt' | 'mqtts' | 'ws' | 'wss';

/** Options with the defaults filled in and the URL taken apart. */
export interface MqttConfig {
  /** `mqtts://host:port`: the broker as it may be shown, without credentials. */
  readonly target: string;
  readonly protocol: MqttProtocol;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly version: 5 | 4 | 'auto';
  readonly clientId: string;
  /** The client id was given, so that sessions may be named after it. */
  readonly stableClientId: boolean;
  readonly tls: TlsOptions;
  readonly will: MqttWill | undefined;
  readonly keepaliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly backoff: Partial<Backoff> | undefined;
  readonly maxBuffered: number;
  readonly maxPacketBytes: number;
  readonly sessionExpirySeconds: number;
  readonly probeSharedSubscriptions: boolean;
  readonly wsOptions: Readonly<Record<string, unknown>> | undefined;
}

const PORTS: Readonly<Record<MqttProtocol, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

/** @throws `UnsupportedError` for a URL that is none, of another protocol, or that contradicts `tls`; the URL itself is never shown. */
export function resolveOptions(url: string, options: MqttOptions): MqttConfig {
  // Whatever is wrong with it, the URL is not shown: any part of it may be a piece of the password.
  const wrong = (reason: string) => new UnsupportedError('the broker URL', reason);
  if (!URL.canParse(url)) throw wrong('it must look like mqtt://host:1883');
  const parsed = new URL(url);
  const protocol = parsed.protocol.slice(0, -1);
  if (!isProtocol(protocol)) throw wrong('it must begin with mqtt://, mqtts://, ws:// or wss://');
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw wrong('it names no host');
  const path = `${parsed.pathname}${parsed.search}`;
  const web = protocol === 'ws' || protocol === 'wss';
  // A / ? or # in a password ends the host too early, and what follows looks like a path.
  if (parsed.hash !== '' || path.includes('@') || (!web && path !== '' && path !== '/')) {
    throw wrong('something follows the host; in a password / ? # and @ must be written %2F %3F %23 and %40');
  }
  const { ca, cert, key } = options.tls ?? {};
  // mqtt.js would turn to TLS silently, or leave it out silently.
  if ((ca ?? cert ?? key) !== undefined && (protocol === 'mqtt' || protocol === 'ws')) {
    throw new UnsupportedError(`tls with ${protocol}://`, `the URL must begin with ${protocol}s://`);
  }
  const port = parsed.port === '' ? PORTS[protocol] : Number(parsed.port);
  const password = options.password ?? decode(parsed.password);
  return {
    target: `${protocol}://${parsed.hostname}:${port}`,
    protocol,
    host,
    port,
    path: web ? path || '/' : '',
    // MQTT 3.1.1 allows no password without a user name.
    username: options.username ?? decode(parsed.username) ?? (password === undefined ? undefined : ''),
    password,
    version: options.version ?? 'auto',
    clientId: options.clientId ?? `commlib-${randomHex(8)}`,
    stableClientId: options.clientId !== undefined,
    tls: options.tls ?? {},
    will: options.will,
    keepaliveSeconds: Math.min(65_535, Math.max(1, Math.round((options.keepaliveMs ?? 30_000) / 1000))),
    connectTimeoutMs: timerMs(options.connectTimeoutMs ?? 10_000),
    backoff: options.backoff,
    maxBuffered: options.maxBuffered ?? 10_000,
    maxPacketBytes: options.maxPacketBytes ?? 16_777_216,
    sessionExpirySeconds: Math.min(0xffff_ffff, Math.ceil((options.sessionExpiryMs ?? 604_800_000) / 1000)),
    probeSharedSubscriptions: options.probeSharedSubscriptions ?? false,
    wsOptions: options.wsOptions,
  };
}

/** `2 × bytes` random hex digits. Not `crypto.randomUUID`, which browsers offer on https pages only. */
export function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

function isProtocol(text: string): text is MqttProtocol {
  return Object.hasOwn(PORTS, text);
}

function decode(part: string): string | undefined {
  if (part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A % that begins no escape: taken as it is.
  }
}
