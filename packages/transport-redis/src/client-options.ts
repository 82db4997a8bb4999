/** ioredis's options for one socket: handshake, framing and TLS are its work, everything else is ours. */

import type { TlsOptions } from '@commlib/core';
import type { RedisOptions as ClientOptions } from 'ioredis';
import type { Endpoint, RedisConfig } from './options.js';

export function clientOptions(config: RedisConfig, endpoint: Endpoint | undefined): ClientOptions {
  const { sentinel, tls, username, password } = config;
  const to = endpoint ?? config;
  const secure = tls && tlsOptions(tls, to.host);
  return {
    ...(config.path !== undefined && endpoint === undefined
      ? { path: config.path }
      : { host: to.host, port: to.port }),
    ...(sentinel
      ? {
          sentinels: [...sentinel.endpoints],
          name: sentinel.name,
          ...(sentinel.username === undefined ? {} : { sentinelUsername: sentinel.username }),
          ...(sentinel.password === undefined ? {} : { sentinelPassword: sentinel.password }),
          ...(secure && sentinel.tls !== false ? { sentinelTLS: secure } : {}),
          enableTLSForSentinelMode: secure !== undefined,
          // One round of all sentinels, then it is for the supervisor to say.
          sentinelRetryStrategy: () => null,
          updateSentinels: false,
        }
      : {}),
    ...(secure ? { tls: secure } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    db: config.db,
    lazyConnect: true,
    connectTimeout: config.connectTimeoutMs,
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy: null,
    reconnectOnError: null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
  };
}

function tlsOptions(tls: TlsOptions, host: string): NonNullable<ClientOptions['tls']> {
  const { ca, cert, key, passphrase, rejectUnauthorized } = tls;
  const servername = tls.servername ?? (isAddress(host) ? undefined : host);
  return {
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}

/** PEM text stays text; bytes become buffers. */
function pem(given: string | Uint8Array | readonly (string | Uint8Array)[]): string | Buffer | Buffer[] {
  if (typeof given === 'string') return given;
  if (given instanceof Uint8Array) return Buffer.from(given);
  return given.map((one) => Buffer.from(one));
}

/** An IP address is no server name (RFC 6066 §3). */
function isAddress(host: string): boolean {
  return /^[\d.]+$|:/.test(host);
}
