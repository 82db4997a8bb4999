import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerUnavailable, type MqttBroker, notOurs } from './broker.js';
import { type Controls, controlled } from './controls.js';
import { startContainer } from './docker.js';
import { type Found, findBroker, urlOf } from './find.js';
import { type MosquittoOptions, type MosquittoPlace, mosquittoFiles } from './mosquitto-config.js';
import { accepts, freePort } from './ports.js';
import { startProcess } from './process.js';
import { recordUse } from './record.js';
import { mqttAnswers, tlsAnswers } from './versions.js';

/**
 * A Mosquitto for this test: the one at `COMMLIB_MOSQUITTO_URL` if the test asks for nothing particular, else one of its
 * own from Docker or from the binary on the PATH, on a free port of 127.0.0.1.
 *
 * @throws BrokerUnavailable when this machine has none; a suite asks `describeOn('mosquitto', …)` first.
 * @example
 * const broker = await startMosquitto({ own: true });
 * afterAll(() => broker.stop());
 */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<MqttBroker> {
  const found = await findBroker('mosquitto', { own: Object.keys(options).length > 0 });
  if (!found.found) throw new BrokerUnavailable(`no Mosquitto: ${found.why}`);
  recordUse({ broker: 'mosquitto', version: found.version, source: found.source });
  if (found.source === 'url') return atUrl(found);

  const ports = {
    port: options.port ?? (await freePort()),
    wsPort: options.websockets ? (options.wsPort ?? (await freePort())) : undefined,
  };
  const start = found.source === 'docker' ? inDocker : fromBinary;
  const controls = await start(found, options, ports);
  const host = options.tls ? 'localhost' : '127.0.0.1';
  const s = options.tls ? 's' : '';
  return controlled(controls, {
    source: found.source,
    version: found.version,
    url: `mqtt${s}://${host}:${ports.port}`,
    wsUrl: ports.wsPort === undefined ? undefined : `ws${s}://${host}:${ports.wsPort}`,
    port: ports.port,
  });
}

type Ports = Pick<MosquittoPlace, 'port' | 'wsPort'>;

function listening(options: MosquittoOptions, { port, wsPort }: Ports) {
  const answers = options.tls ? tlsAnswers : mqttAnswers;
  return async () => (await answers(port)) && (wsPort === undefined || (await accepts(wsPort)));
}

async function fromBinary(found: Found, options: MosquittoOptions, ports: Ports): Promise<Controls> {
  const directory = await mkdtemp(join(tmpdir(), 'commlib-mosquitto-'));
  const files = mosquittoFiles(options, {
    directory,
    asRoot: process.getuid?.() === 0,
    address: '127.0.0.1',
    ...ports,
  });
  for (const [name, content] of files) {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o600 });
    await chmod(path, 0o600);
  }
  const start = () =>
    startProcess(found.where, ['-c', join(directory, 'mosquitto.conf')], {
      directory,
      // Written once the listeners are open.
      ready: async (log) => /mosquitto version \S+ running/.test(log) && (await listening(options, ports)()),
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

async function inDocker(found: Found, options: MosquittoOptions, ports: Ports): Promise<Controls> {
  const inside: MosquittoPlace = {
    directory: '/mosquitto/config',
    asRoot: true,
    address: undefined,
    port: 1883,
    wsPort: ports.wsPort === undefined ? undefined : 9001,
  };
  const map = new Map([[1883, ports.port]]);
  if (ports.wsPort !== undefined) map.set(9001, ports.wsPort);
  const files = [...mosquittoFiles(options, inside)];
  return startContainer({
    image: found.where,
    ports: map,
    files: files.map(([name, content]) => ({ content, target: `${inside.directory}/${name}` })),
    ready: listening(options, ports),
    timeoutMs: 30_000,
  });
}

function atUrl(found: Found): MqttBroker {
  const url = urlOf('mosquitto') ?? '';
  return {
    ...notOurs(found.where),
    source: 'url',
    version: found.version,
    pid: undefined,
    url,
    wsUrl: process.env.COMMLIB_MOSQUITTO_WS_URL,
    port: Number(new URL(url).port || 1883),
    async [Symbol.asyncDispose]() {},
  };
}
