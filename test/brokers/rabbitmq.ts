import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, BrokerUnavailable, notOurs } from './broker.js';
import { type Controls, controlled } from './controls.js';
import { startContainer } from './docker.js';
import { type Found, findBroker, urlOf } from './find.js';
import { onPath } from './on-path.js';
import { accepts, freePort } from './ports.js';
import { startProcess } from './process.js';
import { type RabbitmqOptions, rabbitmqFiles } from './rabbitmq-config.js';
import { recordUse } from './record.js';
import { amqpServerVersion, mqttAnswers, tlsAnswers } from './versions.js';

/** A RabbitMQ with its MQTT plugins: one broker, three ways in. User and password are `guest`. */
export interface RabbitmqBroker extends Broker {
  /** `amqp://guest:guest@127.0.0.1:<port>` */
  readonly url: string;
  /** `mqtt://guest:guest@127.0.0.1:<port>`; MQTT 5 from RabbitMQ 3.13 on. */
  readonly mqttUrl: string;
  /** `ws://guest:guest@127.0.0.1:<port>/ws`; undefined for a broker at a URL without `COMMLIB_RABBITMQ_WS_URL`. */
  readonly wsUrl: string | undefined;
  /** `amqps://guest:guest@localhost:<port>`; undefined without TLS. */
  readonly tlsUrl: string | undefined;
  /** Of {@link url}. */
  readonly port: number;
}

/**
 * A RabbitMQ of this test's own. It needs some ten seconds to start: a test that neither configures nor kills it takes
 * {@link sharedRabbitmq} (in `shared.ts`) instead.
 *
 * @throws BrokerUnavailable when this machine has none.
 */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqBroker> {
  const found = await findBroker('rabbitmq', { own: Object.keys(options).length > 0 });
  if (!found.found) throw new BrokerUnavailable(`no RabbitMQ: ${found.why}`);
  if (found.source === 'url') return rabbitmqAtUrl(found);

  const ports: Ports = {
    amqp: await freePort(),
    mqtt: await freePort(),
    ws: await freePort(),
    amqps: options.tls ? await freePort() : undefined,
  };
  const start = found.source === 'docker' ? inDocker : fromBinary;
  const controls = await start(found, options, ports);
  const url = `amqp://guest:guest@127.0.0.1:${ports.amqp}`;
  const version = await amqpServerVersion(url);
  recordUse({ broker: 'rabbitmq', version, source: found.source });
  return controlled(controls, {
    source: found.source,
    version,
    url,
    mqttUrl: `mqtt://guest:guest@127.0.0.1:${ports.mqtt}`,
    wsUrl: `ws://guest:guest@127.0.0.1:${ports.ws}/ws`,
    tlsUrl: ports.amqps === undefined ? undefined : `amqps://guest:guest@localhost:${ports.amqps}`,
    port: ports.amqp,
  });
}

interface Ports {
  amqp: number;
  mqtt: number;
  ws: number;
  amqps: number | undefined;
}

function ready(ports: Ports) {
  return async () =>
    (await mqttAnswers(ports.mqtt)) &&
    (await accepts(ports.ws)) &&
    (ports.amqps === undefined || (await tlsAnswers(ports.amqps))) &&
    (await amqpServerVersion(`amqp://127.0.0.1:${ports.amqp}`)) !== 'unknown';
}

/** Two schedulers that do not spin: tests share the machine with other tests. */
const erlangArguments = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none';

async function fromBinary(found: Found, options: RabbitmqOptions, ports: Ports): Promise<Controls> {
  const directory = await mkdtemp(join(tmpdir(), 'commlib-rabbitmq-'));
  const files = rabbitmqFiles(options, { directory, address: '127.0.0.1', ...ports });
  for (const [name, content] of files) await writeFile(join(directory, name), content, { mode: 0o600 });
  const epmdPort = await freePort();
  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: directory,
    RABBITMQ_NODENAME: `commlib${ports.amqp}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_DIST_PORT: String(await freePort()),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_PID_FILE: join(directory, 'pid'),
    // Erlang's own port for other nodes on the loopback address, too.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${erlangArguments} -kernel inet_dist_use_interface {127,0,0,1}`,
    // Has the start script replace itself by the server, so that signals and `kill -9` reach the server.
    RUNNING_UNDER_SYSTEMD: 'true',
    // Erlang's name server, for this node alone: the usual one would stay behind on port 4369.
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
  const epmdPath = onPath('epmd');
  const epmd =
    epmdPath === undefined
      ? undefined
      : await startProcess(epmdPath, [], { env, ready: () => accepts(epmdPort) });
  const start = () =>
    startProcess(found.where, [], { env, directory, ready: ready(ports), timeoutMs: 60_000 });
  try {
    let server = await start();
    return {
      pid: () => server.pid,
      log: async () => server.log(),
      end: (signal) => server.end(signal, 30_000),
      start: async () => {
        server = await start();
      },
      remove: async () => {
        await epmd?.end('SIGKILL');
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await epmd?.end('SIGKILL');
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function inDocker(found: Found, options: RabbitmqOptions, ports: Ports): Promise<Controls> {
  const inside = { amqp: 5672, mqtt: 1883, ws: 15675, amqps: ports.amqps === undefined ? undefined : 5671 };
  const map = new Map([
    [inside.amqp, ports.amqp],
    [inside.mqtt, ports.mqtt],
    [inside.ws, ports.ws],
  ]);
  if (inside.amqps !== undefined && ports.amqps !== undefined) map.set(inside.amqps, ports.amqps);
  const directory = '/etc/rabbitmq';
  const files = rabbitmqFiles(options, { directory, address: '0.0.0.0', ...inside });
  return startContainer({
    image: found.where,
    ports: map,
    files: [...files].map(([name, content]) => ({
      content,
      // The image's own `rabbitmq.conf`, if any, stays; later files of this folder win.
      target: name === 'rabbitmq.conf' ? `${directory}/conf.d/50-commlib.conf` : `${directory}/${name}`,
    })),
    env: { RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: erlangArguments },
    ready: ready(ports),
    timeoutMs: 90_000,
  });
}

function rabbitmqAtUrl(found: Found): RabbitmqBroker {
  const mqttUrl = process.env.COMMLIB_RABBITMQ_MQTT_URL;
  if (mqttUrl === undefined) {
    throw new BrokerUnavailable(
      'COMMLIB_RABBITMQ_URL is set, COMMLIB_RABBITMQ_MQTT_URL (its MQTT plugin) is not',
    );
  }
  recordUse({ broker: 'rabbitmq', version: found.version, source: 'url' });
  return {
    ...notOurs(found.where),
    source: 'url',
    version: found.version,
    pid: undefined,
    url: urlOf('rabbitmq') ?? '',
    mqttUrl,
    wsUrl: process.env.COMMLIB_RABBITMQ_WS_URL,
    tlsUrl: undefined,
    port: Number(new URL(urlOf('rabbitmq') ?? '').port || 5672),
    async [Symbol.asyncDispose]() {},
  };
}
