import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Broker, BrokerUnavailable, notOurs } from './broker.js';
import { type Controls, controlled } from './controls.js';
import { startContainer } from './docker.js';
import { type Found, findBroker, urlOf } from './find.js';
import { type KafkaOptions, kafkaProperties, type Listener } from './kafka-config.js';
import { onPath } from './on-path.js';
import { freePort } from './ports.js';
import { startProcess } from './process.js';
import { recordUse } from './record.js';
import { kafkaAnswers } from './versions.js';

/** A running Kafka: one node, without ZooKeeper. */
export interface KafkaBroker extends Broker {
  /** `kafka://127.0.0.1:<port>`: neither TLS nor password. */
  readonly url: string;
  /** The same as kafkajs wants it: `['127.0.0.1:<port>']`. */
  readonly brokers: readonly string[];
  /** The listener behind the proxy, `kafka://127.0.0.1:<port of the proxy>`; undefined unless asked for. */
  readonly proxiedUrl: string | undefined;
  /** The listener that asks for a password, `kafka://127.0.0.1:<port>`; undefined without users. */
  readonly saslUrl: string | undefined;
  /** The listener with TLS, `kafka://localhost:<port>`; undefined without. */
  readonly tlsUrl: string | undefined;
  /** Password over TLS, `kafka://localhost:<port>`. */
  readonly saslTlsUrl: string | undefined;
  readonly port: number;
}

/**
 * A Kafka for this test: the one at `COMMLIB_KAFKA_URL` if the test asks for nothing particular, else one of its own from
 * Docker or from a Java on the PATH, on free ports of 127.0.0.1. It needs some seconds to start: a test that neither
 * configures nor kills it takes `sharedKafka()` instead.
 *
 * @throws BrokerUnavailable when this machine has none; a suite asks `describeOn('kafka', …)` first.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const found = await findBroker('kafka', { own: Object.keys(options).length > 0 });
  if (!found.found) throw new BrokerUnavailable(`no Kafka: ${found.why}`);
  recordUse({ broker: 'kafka', version: found.version, source: found.source });
  if (found.source === 'url') return atUrl(found);

  const listeners = await listenersOf(options);
  const start = found.source === 'docker' ? inDocker : fromBinary;
  const controls = await start(found, options, listeners);
  const advertised = (name: Listener['name']) => {
    const listener = listeners.find((one) => one.name === name);
    return listener && `kafka://${listener.advertised}`;
  };
  const { port } = listeners[0];
  return controlled(controls, {
    source: found.source,
    version: found.version,
    url: `kafka://127.0.0.1:${port}`,
    brokers: [`127.0.0.1:${port}`],
    proxiedUrl: advertised('PROXIED'),
    saslUrl: advertised('SASL'),
    tlsUrl: advertised('TLS'),
    saslTlsUrl: advertised('SASLTLS'),
    port,
  });
}

type Listeners = readonly [Listener, ...Listener[]];

async function listenersOf(options: KafkaOptions): Promise<Listeners> {
  const port = options.port ?? (await freePort());
  const listeners: [Listener, ...Listener[]] = [
    { name: 'PLAINTEXT', protocol: 'PLAINTEXT', port, advertised: `127.0.0.1:${port}` },
  ];
  const add = (name: Listener['name'], protocol: Listener['protocol'], own: number, told: string) =>
    listeners.push({ name, protocol, port: own, advertised: told });
  if (options.proxied) {
    const { port: own, advertisedPort } = options.proxied;
    add('PROXIED', 'PLAINTEXT', own, `127.0.0.1:${advertisedPort}`);
  }
  if (options.users) {
    const own = await freePort();
    add('SASL', 'SASL_PLAINTEXT', own, `127.0.0.1:${own}`);
  }
  if (options.tls) {
    const own = await freePort();
    add('TLS', 'SSL', own, `localhost:${own}`);
  }
  if (options.tls && options.users) {
    const own = await freePort();
    add('SASLTLS', 'SASL_SSL', own, `localhost:${own}`);
  }
  return listeners;
}

const heap = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC'];
/** The same for all: no two of these nodes ever meet. */
const clusterId = 'Y29tbWxpYi1mb3ItdGVzdA';

async function fromBinary(found: Found, options: KafkaOptions, listeners: Listeners): Promise<Controls> {
  const java = onPath('java') ?? 'java';
  const directory = await mkdtemp(join(tmpdir(), 'commlib-kafka-'));
  const file = join(directory, 'server.properties');
  const data = join(directory, 'data');
  const place = { data, address: '127.0.0.1', controllerPort: await freePort(), listeners };
  await mkdir(data);
  await writeFile(file, kafkaProperties(options, place), { mode: 0o600 });
  const base = [
    ...heap,
    '-Djava.net.preferIPv4Stack=true',
    `-Dkafka.logs.dir=${directory}`,
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
    '-cp',
    join(found.where, '*'),
  ];
  const start = () =>
    startProcess(java, [...base, 'kafka.Kafka', file], {
      directory,
      ready: async (log) => /Kafka Server started/.test(log) && (await kafkaAnswers(listeners[0].port)),
      timeoutMs: 60_000,
    });
  try {
    await promisify(execFile)(
      java,
      ['-XX:TieredStopAtLevel=1', ...base, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file],
      { timeout: 60_000 },
    );
    let server = await start();
    return {
      pid: () => server.pid,
      log: async () => server.log(),
      end: (signal) => server.end(signal, 30_000),
      start: async () => {
        server = await start();
      },
      remove: () => rm(directory, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function inDocker(found: Found, options: KafkaOptions, listeners: Listeners): Promise<Controls> {
  const inside = listeners.map((listener, index) => ({ ...listener, port: 9100 + index }));
  const place = { data: '/var/lib/kafka/data', address: '0.0.0.0', controllerPort: 9093, listeners: inside };
  return startContainer({
    image: found.where,
    ports: new Map(listeners.map(({ port }, index) => [9100 + index, port])),
    files: [{ content: kafkaProperties(options, place), target: '/mnt/shared/config/server.properties' }],
    env: { CLUSTER_ID: clusterId, KAFKA_HEAP_OPTS: heap.slice(0, 2).join(' ') },
    ready: () => kafkaAnswers(listeners[0].port),
    timeoutMs: 90_000,
  });
}

function atUrl(found: Found): KafkaBroker {
  const address = (urlOf('kafka') ?? '').replace(/^kafka:\/\//, '').replace(/\/$/, '');
  return {
    ...notOurs(found.where),
    source: 'url',
    version: found.version,
    pid: undefined,
    url: `kafka://${address}`,
    brokers: [address],
    proxiedUrl: undefined,
    saslUrl: undefined,
    tlsUrl: undefined,
    saslTlsUrl: undefined,
    port: Number(address.split(':')[1] || 9092),
    async [Symbol.asyncDispose]() {},
  };
}
