/** What a test may ask of a Redis. Everything is optional; without anything it is open to all on 127.0.0.1 and keeps nothing. */
export interface RedisOptions {
  /** Never take the server that `COMMLIB_REDIS_URL` names. Ask for it when the test kills, restarts or counts. */
  own?: boolean;
  /** Further lines of `redis.conf`, e.g. `stream-node-max-entries 50` or `cluster-enabled yes`. They go last, and so win. */
  config?: readonly string[];
  /**
   * Keeps the data in an append-only file over a restart, also after `kill9`. `true` is `appendfsync everysec`, Redis'
   * own choice; `'always'` writes before it answers. Default false.
   */
  appendonly?: boolean | 'always';
  /** `requirepass`: the password of the user `default`, put into the URLs. */
  password?: string;
  /** ACL users, as after `user` in `redis.conf`: `alice on >secret ~* &* +@all`. */
  users?: readonly string[];
  /** PEM texts, see `makeCertificates`. A TLS port beside the plain one. */
  tls?: { cert: string; key: string; ca?: string; requireClientCertificate?: boolean };
  /** A Unix socket beside the port. */
  unixSocket?: boolean;
  /** Number of databases; Redis' default is 16. */
  databases?: number;
  /** Default: a free one. */
  port?: number;
  /** Default: a free one. */
  tlsPort?: number;
}

/** Where the server finds its files and which ports it takes, as it sees them itself. */
export interface RedisPlace {
  /** Of the configuration and the certificates. */
  directory: string;
  /** Of what it keeps. */
  data: string;
  address: string;
  port: number;
  tlsPort: number | undefined;
  socket: string | undefined;
}

/** The files of a Redis: name → content. `redis.conf` refers to the others by their full path. */
export function redisFiles(options: RedisOptions, place: RedisPlace): Map<string, string> {
  const files = new Map<string, string>();
  const put = (name: string, content: string) => {
    files.set(name, content);
    return `${place.directory}/${name}`;
  };
  const lines = [
    `bind ${place.address}`,
    // It would refuse clients from outside the container as long as there is no password.
    'protected-mode no',
    `port ${place.port}`,
    `dir ${place.data}`,
    'daemonize no',
    // No snapshots: what is kept is what the append-only file has.
    'save ""',
    `appendonly ${options.appendonly ? 'yes' : 'no'}`,
    `appendfsync ${options.appendonly === 'always' ? 'always' : 'everysec'}`,
  ];
  if (options.databases !== undefined) lines.push(`databases ${options.databases}`);
  if (options.password !== undefined) lines.push(`requirepass "${quoted(options.password)}"`);
  for (const user of options.users ?? []) lines.push(`user ${user}`);
  if (place.socket !== undefined) lines.push(`unixsocket ${place.socket}`, 'unixsocketperm 777');
  if (options.tls && place.tlsPort !== undefined) {
    const { cert, key, ca = cert, requireClientCertificate } = options.tls;
    lines.push(
      `tls-port ${place.tlsPort}`,
      `tls-cert-file ${put('server.crt', cert)}`,
      `tls-key-file ${put('server.key', key)}`,
      // Asked for even where no client certificate is.
      `tls-ca-cert-file ${put('ca.crt', ca)}`,
      `tls-auth-clients ${requireClientCertificate ? 'yes' : 'no'}`,
    );
  }
  lines.push(...(options.config ?? []));
  put('redis.conf', `${lines.join('\n')}\n`);
  return files;
}

function quoted(text: string): string {
  return text.replace(/[\\"]/g, '\\$&');
}
