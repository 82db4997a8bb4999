import { pbkdf2Sync, randomBytes } from 'node:crypto';

/** What a test may ask of a Mosquitto. Everything is optional; without anything it is open to all on 127.0.0.1. */
export interface MosquittoOptions {
  /** Never take the broker that `COMMLIB_MOSQUITTO_URL` names. Ask for it when the test kills, restarts or counts. */
  own?: boolean;
  /** Further lines of `mosquitto.conf`, before the listeners. */
  config?: readonly string[];
  /** A websocket listener beside the other one. Mosquitto binds it to all addresses, whatever is configured. */
  websockets?: boolean;
  /** PEM texts, see `makeCertificates`. The listeners then speak TLS only. */
  tls?: { cert: string; key: string; ca?: string; requireClientCertificate?: boolean };
  /** Lines of the ACL file, e.g. `user controller`, `topic readwrite hbot/#`. */
  acl?: readonly string[];
  /** User → password. Anonymous access ends when given. */
  users?: Readonly<Record<string, string>>;
  /**
   * Keeps sessions and retained messages over a restart, also after `kill9`. With `as shipped`, Mosquitto's own way: over a
   * SIGTERM, since it writes them down then, and every half an hour. Default false.
   */
  persistence?: boolean | 'as shipped';
  /** `set_tcp_nodelay`; default true, unlike Mosquitto's own default. */
  tcpNoDelay?: boolean;
  /** Default: a free one. */
  port?: number;
  /** Default: a free one. */
  wsPort?: number;
}

/** Where the server finds its files and which ports it takes, as it sees them itself. */
export interface MosquittoPlace {
  directory: string;
  /** Whether the server is started by root; default false. */
  asRoot?: boolean;
  address: string | undefined;
  port: number;
  wsPort: number | undefined;
}

/** The files of a Mosquitto: name → content. `mosquitto.conf` refers to the others by their full path. */
export function mosquittoFiles(options: MosquittoOptions, place: MosquittoPlace): Map<string, string> {
  const files = new Map<string, string>();
  const put = (name: string, content: string) => {
    files.set(name, content);
    return `${place.directory}/${name}`;
  };
  const lines = [
    // Not stdout, which is buffered when it is a pipe.
    'log_dest stderr',
    'connection_messages true',
    `set_tcp_nodelay ${options.tcpNoDelay ?? true}`,
    `allow_anonymous ${options.users === undefined}`,
  ];
  // Started as root it would become the user "mosquitto", who may not read the files of the test.
  if (place.asRoot) lines.push('user root');
  if (options.users) lines.push(`password_file ${put('passwords', passwordFile(options.users))}`);
  if (options.acl) lines.push(`acl_file ${put('acl', `${options.acl.join('\n')}\n`)}`);
  if (options.persistence) {
    lines.push('persistence true', `persistence_location ${place.directory}/`);
    // Saved at every change, so that `kill -9` loses nothing.
    if (options.persistence !== 'as shipped') lines.push('autosave_on_changes true', 'autosave_interval 1');
  }
  lines.push(...(options.config ?? []));

  const tls: string[] = [];
  if (options.tls) {
    tls.push(
      `certfile ${put('server.crt', options.tls.cert)}`,
      `keyfile ${put('server.key', options.tls.key)}`,
    );
    if (options.tls.ca !== undefined) tls.push(`cafile ${put('ca.crt', options.tls.ca)}`);
    if (options.tls.requireClientCertificate) tls.push('require_certificate true');
  }
  const bind = place.address === undefined ? '' : ` ${place.address}`;
  lines.push(`listener ${place.port}${bind}`, 'protocol mqtt', ...tls);
  if (place.wsPort !== undefined)
    lines.push(`listener ${place.wsPort}${bind}`, 'protocol websockets', ...tls);
  put('mosquitto.conf', `${lines.join('\n')}\n`);
  return files;
}

/** Mosquitto's own format: PBKDF2 with SHA-512, as `mosquitto_passwd` of 2.0 writes it. */
function passwordFile(users: Readonly<Record<string, string>>): string {
  const rounds = 101;
  return Object.entries(users)
    .map(([user, password]) => {
      const salt = randomBytes(12);
      const hash = pbkdf2Sync(password, salt, rounds, 64, 'sha512');
      return `${user}:$7$${rounds}$${salt.toString('base64')}$${hash.toString('base64')}\n`;
    })
    .join('');
}
