import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, BrokerUnavailable, notOurs } from './broker.js';
import { type Controls, controlled } from './controls.js';
import { startContainer } from './docker.js';
import { type Found, findBroker, urlOf } from './find.js';
import { freePort } from './ports.js';
import { startProcess } from './process.js';
import { recordUse } from './record.js';
import { type RedisOptions, type RedisPlace, redisFiles } from './redis-config.js';
import { redisAnswers } from './versions.js';

/** A running Redis. */
export interface RedisServer extends Broker {
  /** `redis://127.0.0.1:<port>`, with the password of the user `default` if one was asked for. */
  readonly url: string;
  /** `rediss://localhost:<port>`, likewise; undefined without TLS. */
  readonly tlsUrl: string | undefined;
  /** Path of the Unix socket; undefined unless asked for. */
  readonly socketPath: string | undefined;
  readonly port: number;
}

/**
 * A Redis for this test: the one at `COMMLIB_REDIS_URL` if the test asks for nothing particular, else one of its own from
 * Docker or from the binary on the PATH, on a free port of 127.0.0.1. A test that does not configure or kill it can take
 * `sharedRedis()` instead.
 *
 * @throws BrokerUnavailable when this machine has none; a suite asks `describeOn('redis', …)` first.
 * @example
 * const redis = await startRedis({ appendonly: true });
 * afterAll(() => redis.stop());
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const found = await findBroker('redis', { own: Object.keys(options).length > 0 });
  if (!found.found) throw new BrokerUnavailable(`no Redis: ${found.why}`);
  recordUse({ broker: 'redis', version: found.version, source: found.source });
  if (found.source === 'url') return atUrl(found);

  const ports: Ports = {
    port: options.port ?? (await freePort()),
    tlsPort: options.tls ? (options.tlsPort ?? (await freePort())) : undefined,
  };
  const directory = await mkdtemp(join(tmpdir(), 'commlib-redis-'));
  const socketDirectory = options.unixSocket ? join(directory, 'socket') : undefined;
  if (socketDirectory !== undefined) {
    await mkdir(socketDirectory);
    // In a container the server is another user, who must be able to put the socket there.
    await chmod(socketDirectory, 0o777);
  }
  const start = found.source === 'docker' ? inDocker : fromBinary;
  let controls: Controls;
  try {
    controls = await start(found, options, ports, { directory, socketDirectory });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  const login = options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`;
  return controlled(controls, {
    source: found.source,
    version: found.version,
    url: `redis://${login}127.0.0.1:${ports.port}`,
    tlsUrl: ports.tlsPort === undefined ? undefined : `rediss://${login}localhost:${ports.tlsPort}`,
    socketPath: socketDirectory && join(socketDirectory, 'redis.sock'),
    port: ports.port,
  });
}

type Ports = Pick<RedisPlace, 'port' | 'tlsPort'>;
/** On the host. */
interface Place {
  directory: string;
  socketDirectory: string | undefined;
}

async function fromBinary(
  found: Found,
  options: RedisOptions,
  ports: Ports,
  place: Place,
): Promise<Controls> {
  const { directory, socketDirectory } = place;
  const data = join(directory, 'data');
  await mkdir(data);
  const socket = socketDirectory && join(socketDirectory, 'redis.sock');
  const files = redisFiles(options, { directory, data, address: '127.0.0.1', ...ports, socket });
  for (const [name, content] of files) await writeFile(join(directory, name), content, { mode: 0o600 });
  const start = () =>
    startProcess(found.where, [join(directory, 'redis.conf')], {
      directory,
      ready: async (log) => /Ready to accept connections/i.test(log) && (await redisAnswers(ports.port)),
      // Reading a large append-only file takes its time.
      timeoutMs: 30_000,
    });
  let server = await start();
  return {
    pid: () => server.pid,
    log: async () => server.log(),
    end: (signal) => server.end(signal),
    start: async () => {
      server = await start();
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function inDocker(found: Found, options: RedisOptions, ports: Ports, place: Place): Promise<Controls> {
  const inside: RedisPlace = {
    directory: '/usr/local/etc/redis',
    data: '/data',
    address: '0.0.0.0',
    port: 6379,
    tlsPort: ports.tlsPort === undefined ? undefined : 6380,
    socket: place.socketDirectory && '/run/redis-socket/redis.sock',
  };
  const map = new Map([[inside.port, ports.port]]);
  if (inside.tlsPort !== undefined && ports.tlsPort !== undefined) map.set(inside.tlsPort, ports.tlsPort);
  const container = await startContainer({
    image: found.where,
    command: ['redis-server', `${inside.directory}/redis.conf`],
    ports: map,
    files: [...redisFiles(options, inside)].map(([name, content]) => ({
      content,
      target: `${inside.directory}/${name}`,
    })),
    mounts: place.socketDirectory
      ? [{ source: place.socketDirectory, target: '/run/redis-socket', mode: 'rw' }]
      : [],
    ready: () => redisAnswers(ports.port),
    timeoutMs: 30_000,
  });
  return {
    ...container,
    async remove() {
      await container.remove();
      await rm(place.directory, { recursive: true, force: true });
    },
  };
}

function atUrl(found: Found): RedisServer {
  const url = urlOf('redis') ?? '';
  return {
    ...notOurs(found.where),
    source: 'url',
    version: found.version,
    pid: undefined,
    url,
    tlsUrl: url.startsWith('rediss:') ? url : undefined,
    socketPath: undefined,
    port: Number(new URL(url).port || 6379),
    async [Symbol.asyncDispose]() {},
  };
}
