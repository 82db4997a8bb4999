/** The Mosquitto of `compose/mosquitto` as a test runs it: the files as they are, with free ports and paths of this machine. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Controls, controlled } from '../brokers/controls.js';
import { startContainer } from '../brokers/docker.js';
import { findBroker } from '../brokers/find.js';
import { type Broker, BrokerUnavailable, freePort } from '../brokers/index.js';
import { mosquittoFiles } from '../brokers/mosquitto-config.js';
import { accepts } from '../brokers/ports.js';
import { startProcess } from '../brokers/process.js';
import { recordUse } from '../brokers/record.js';

export const folder = fileURLToPath(new URL('../../compose/mosquitto', import.meta.url));

/** A running deployment. */
export interface Deployment extends Broker {
  readonly url: string;
  readonly wsUrl: string;
  /** Where the health check of compose.yaml asks; absent in a container, which does not show it. */
  readonly healthUrl: string | undefined;
  /** Ends the server in good order; `restart()` brings it back. */
  shutDown(): Promise<void>;
}

/** Starts the configuration `config/<name>` with these users in its password file. */
export async function startDeployment(
  name: 'mosquitto.conf' | 'dev.conf',
  users: Readonly<Record<string, string>>,
): Promise<Deployment> {
  const found = await findBroker('mosquitto', { own: true });
  if (!found.found) throw new BrokerUnavailable(`no Mosquitto: ${found.why}`);
  recordUse({ broker: 'mosquitto', version: found.version, source: found.source });
  const [port, wsPort, healthPort] = [await freePort(), await freePort(), await freePort()];
  const ready = async () => (await accepts(port)) && (await accepts(wsPort));
  const files = {
    [`config/${name}`]: await read(name),
    'config/acl': await read('acl'),
    'config/health.acl': await read('health.acl'),
    'passwords/passwords': passwords(users),
  };

  let controls: Controls;
  if (found.source === 'docker') {
    const place = (file: string) => (file === `config/${name}` ? 'config/mosquitto.conf' : file);
    controls = await startContainer({
      image: found.where,
      ports: new Map([
        [1883, port],
        [9001, wsPort],
      ]),
      files: Object.entries(files).map(([file, content]) => ({
        content,
        target: `/mosquitto/${place(file)}`,
      })),
      ready,
      timeoutMs: 30_000,
    });
  } else {
    const directory = await mkdtemp(join(tmpdir(), 'commlib-compose-'));
    const ports: Record<string, number> = { 1883: port, 9001: wsPort, 1880: healthPort };
    const conf = files[`config/${name}`] ?? '';
    files[`config/${name}`] = conf
      .replaceAll('/mosquitto/', `${directory}/`)
      .replaceAll(/^listener (\d+).*$/gm, (_, inside: string) => `listener ${ports[inside]} 127.0.0.1`)
      // stdout is buffered when it is a pipe; and as root it would become a user who may not read these files.
      .replace('log_dest stdout', `log_dest stderr${process.getuid?.() === 0 ? '\nuser root' : ''}`);
    for (const sub of ['config', 'passwords', 'data']) await mkdir(join(directory, sub));
    for (const [file, content] of Object.entries(files))
      await writeFile(join(directory, file), content, { mode: 0o600 });
    const start = () =>
      startProcess(found.where, ['-c', join(directory, `config/${name}`)], { directory, ready });
    let server = await start();
    controls = {
      pid: () => server.pid,
      log: async () => server.log(),
      end: (signal) => server.end(signal),
      start: async () => {
        server = await start();
      },
      remove: () => rm(directory, { recursive: true, force: true }),
    };
  }
  return controlled(controls, {
    shutDown: () => controls.end('SIGTERM'),
    source: found.source,
    version: found.version,
    url: `mqtt://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${wsPort}`,
    healthUrl:
      found.source === 'docker' || name === 'dev.conf' ? undefined : `mqtt://127.0.0.1:${healthPort}`,
  });
}

function read(name: string): Promise<string> {
  return readFile(join(folder, 'config', name), 'utf8');
}

/** As `mosquitto_passwd` writes it. */
function passwords(users: Readonly<Record<string, string>>): string {
  const place = { directory: '', address: undefined, port: 0, wsPort: undefined };
  return mosquittoFiles({ users }, place).get('passwords') ?? '';
}
