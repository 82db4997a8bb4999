import { createHash, randomBytes } from 'node:crypto';

/** What a test may ask of a RabbitMQ. */
export interface RabbitmqOptions {
  /** Never take the broker that `COMMLIB_RABBITMQ_URL` names. */
  own?: boolean;
  /** Further lines of `rabbitmq.conf`. */
  config?: readonly string[];
  /** Default: `rabbitmq_mqtt` and `rabbitmq_web_mqtt`. */
  plugins?: readonly string[];
  /** PEM texts, see `makeCertificates`. An AMQP listener with TLS beside the plain one. */
  tls?: { cert: string; key: string; ca?: string; requireClientCertificate?: boolean };
  /** User → password, each with all rights in the vhost `/`, beside `guest`. */
  users?: Readonly<Record<string, string>>;
  /** Further vhosts, where `guest` and the `users` have all rights. */
  vhosts?: readonly string[];
}

/** Where the server finds its files and which ports it takes, as it sees them itself. */
export interface RabbitmqPlace {
  directory: string;
  address: string;
  amqp: number;
  mqtt: number;
  ws: number;
  amqps: number | undefined;
}

/** The files of a RabbitMQ: name → content. */
export function rabbitmqFiles(options: RabbitmqOptions, place: RabbitmqPlace): Map<string, string> {
  const files = new Map<string, string>();
  const put = (name: string, content: string) => {
    files.set(name, content);
    return `${place.directory}/${name}`;
  };
  const { address } = place;
  const lines = [
    `listeners.tcp.1 = ${address}:${place.amqp}`,
    `mqtt.listeners.tcp.1 = ${address}:${place.mqtt}`,
    `web_mqtt.tcp.ip = ${address}`,
    `web_mqtt.tcp.port = ${place.ws}`,
    // Inside a container the test does not come from the loopback address.
    'loopback_users = none',
    'mqtt.tcp_listen_options.nodelay = true',
    'tcp_listen_options.nodelay = true',
    'disk_free_limit.absolute = 50MB',
  ];
  if (options.tls && place.amqps !== undefined) {
    const { cert, key, ca, requireClientCertificate = false } = options.tls;
    lines.push(
      `listeners.ssl.1 = ${address}:${place.amqps}`,
      `ssl_options.certfile = ${put('server.crt', cert)}`,
      `ssl_options.keyfile = ${put('server.key', key)}`,
      `ssl_options.verify = ${requireClientCertificate ? 'verify_peer' : 'verify_none'}`,
      `ssl_options.fail_if_no_peer_cert = ${requireClientCertificate}`,
    );
    if (ca !== undefined) lines.push(`ssl_options.cacertfile = ${put('ca.crt', ca)}`);
  }
  if (options.users || options.vhosts)
    lines.push(`load_definitions = ${put('definitions.json', definitions(options))}`);
  lines.push(...(options.config ?? []));
  put('rabbitmq.conf', `${lines.join('\n')}\n`);
  const plugins = options.plugins ?? ['rabbitmq_mqtt', 'rabbitmq_web_mqtt'];
  put('enabled_plugins', `[${plugins.join(',')}].\n`);
  return files;
}

/** Users, vhosts and rights; with them the server makes none of its own, not even `guest`. */
function definitions(options: RabbitmqOptions): string {
  const users = Object.entries({ ...options.users, guest: 'guest' });
  const vhosts = ['/', ...(options.vhosts ?? [])];
  return JSON.stringify({
    users: users.map(([name, password]) => ({
      name,
      password_hash: passwordHash(password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: name === 'guest' ? 'administrator' : '',
    })),
    vhosts: vhosts.map((name) => ({ name })),
    permissions: users.flatMap(([user]) =>
      vhosts.map((vhost) => ({ user, vhost, configure: '.*', write: '.*', read: '.*' })),
    ),
  });
}

/** As RabbitMQ keeps passwords: four random bytes, then SHA-256 of them and the password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const digest = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, digest]).toString('base64');
}
