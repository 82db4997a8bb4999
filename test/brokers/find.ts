import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { imageAvailable } from './docker.js';
import { kafkaVersion, resolveKafka } from './kafka-libs.js';
import { onPath } from './on-path.js';
import { amqpServerVersion, mqttServerVersion, redisServerVersion } from './versions.js';

/** The brokers that tests know how to find. */
export type BrokerName = 'mosquitto' | 'rabbitmq' | 'emqx' | 'redis' | 'kafka';
export const brokerNames: readonly BrokerName[] = ['mosquitto', 'rabbitmq', 'emqx', 'redis', 'kafka'];

/** How a broker was found, in the order in which it is looked for; see `test/brokers/README.md`. */
export type Source = 'url' | 'docker' | 'binary' | 'embedded';

export interface Found {
  found: true;
  name: BrokerName;
  source: Source;
  /** The server's version, or `unknown`. */
  version: string;
  /** The URL without credentials, the image, or the path of the binary. */
  where: string;
}

export interface NotFound {
  found: false;
  name: BrokerName;
  /** One line for the table at the end of the run: everything that was tried. */
  why: string;
}

interface Recipe {
  url: string;
  image: string;
  /** Names on the PATH, or absolute paths; the first that exists is taken. */
  binaries: readonly string[];
  binaryVersion(path: string): Promise<string>;
  /** What the binary needs beside itself; rejects with the reason where it is not to be had. Resolves with its place. */
  complete?(): Promise<string>;
  urlVersion(url: string): Promise<string>;
}

const recipes: Record<BrokerName, Recipe> = {
  mosquitto: {
    url: 'COMMLIB_MOSQUITTO_URL',
    image: 'eclipse-mosquitto:2.0.22',
    // Debian keeps it in /usr/sbin, which is not on every user's PATH.
    binaries: [
      'mosquitto',
      '/usr/sbin/mosquitto',
      '/usr/local/sbin/mosquitto',
      '/opt/homebrew/sbin/mosquitto',
    ],
    binaryVersion: async (path) => /version (\S+)/.exec(await outputOf(path, ['-h']))?.[1] ?? 'unknown',
    urlVersion: mqttServerVersion,
  },
  rabbitmq: {
    url: 'COMMLIB_RABBITMQ_URL',
    image: 'rabbitmq:4.1.4-management-alpine',
    // Debian's wrapper on the PATH changes the user; the script itself runs for whoever starts it.
    binaries: ['/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server'],
    // Only the running server tells its version quickly; the launcher puts it in.
    binaryVersion: async () => 'unknown',
    urlVersion: amqpServerVersion,
  },
  emqx: {
    url: 'COMMLIB_EMQX_URL',
    image: 'emqx/emqx:5.8.6',
    binaries: [],
    binaryVersion: async () => 'unknown',
    urlVersion: async () => 'unknown',
  },
  redis: {
    url: 'COMMLIB_REDIS_URL',
    image: 'redis:8.2.2-alpine',
    binaries: ['redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'],
    binaryVersion: async (path) => /v=(\S+)/.exec(await outputOf(path, ['--version']))?.[1] ?? 'unknown',
    urlVersion: redisServerVersion,
  },
  kafka: {
    url: 'COMMLIB_KAFKA_URL',
    image: 'apache/kafka:4.1.1',
    // No system packages it: a Java runs the published libraries.
    binaries: ['java'],
    binaryVersion: async () => kafkaVersion,
    complete: resolveKafka,
    urlVersion: async () => 'unknown',
  },
};

/** The image of a broker: pinned here, replaced by e.g. `COMMLIB_MOSQUITTO_IMAGE`. */
export function imageOf(name: BrokerName): string {
  return process.env[`COMMLIB_${name.toUpperCase()}_IMAGE`] ?? recipes[name].image;
}

/** The URL that the environment names for a broker, with its credentials. */
export function urlOf(name: BrokerName): string | undefined {
  return process.env[recipes[name].url] || undefined;
}

const answers = new Map<string, Promise<Found | NotFound>>();

/**
 * Looks for a broker: URL in the environment, then an image through Docker, then a binary. Never hangs and never throws.
 * `own: true` leaves the URL out, for tests that configure, kill or restart the broker.
 */
export function findBroker(name: BrokerName, { own = false } = {}): Promise<Found | NotFound> {
  const key = `${name} ${own}`;
  let answer = answers.get(key);
  if (!answer) {
    answer = passedOn(key) ?? look(name, own);
    answers.set(key, answer);
  }
  return answer;
}

/** The global set-up looks once and hands what it found to the processes of the tests, in this variable. */
export const foundVariable = 'COMMLIB_BROKERS_FOUND';

function passedOn(key: string): Promise<Found | NotFound> | undefined {
  const text = process.env[foundVariable];
  if (text === undefined) return undefined;
  const all: Record<string, Found | NotFound> = JSON.parse(text);
  const one = all[key];
  return one && Promise.resolve(one);
}

/** Everything that can be found, in the form of {@link foundVariable}. */
export async function findAll(): Promise<Record<string, Found | NotFound>> {
  const all: Record<string, Found | NotFound> = {};
  for (const name of brokerNames) {
    for (const own of [false, true]) all[`${name} ${own}`] = await findBroker(name, { own });
  }
  return all;
}

async function look(name: BrokerName, own: boolean): Promise<Found | NotFound> {
  const recipe = recipes[name];
  const tried: string[] = [];
  const url = urlOf(name);
  if (url !== undefined && !own) {
    // A URL that was given is meant: when nothing answers there, the tests shall fail and not go elsewhere.
    return { found: true, name, source: 'url', version: await recipe.urlVersion(url), where: bare(url) };
  }
  tried.push(url === undefined ? `${recipe.url} not set` : `${recipe.url} is not ours to restart`);

  const image = imageOf(name);
  const docker = await imageAvailable(image);
  if (docker.available) {
    return { found: true, name, source: 'docker', version: image.split(':')[1] ?? 'unknown', where: image };
  }
  tried.push(docker.why);

  if (process.env.COMMLIB_DOCKER === 'only') {
    tried.push('nothing but Docker is asked for (COMMLIB_DOCKER=only)');
    return { found: false, name, why: tried.join('; ') };
  }
  const binary = recipe.binaries.map(onPath).find((path) => path !== undefined);
  if (binary === undefined) {
    tried.push(recipe.binaries[0] ? `no ${recipe.binaries[0]} on the PATH` : 'no binary of it is run here');
  } else {
    try {
      const where = (await recipe.complete?.()) ?? binary;
      return { found: true, name, source: 'binary', version: await recipe.binaryVersion(binary), where };
    } catch (error) {
      tried.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { found: false, name, why: tried.join('; ') };
}

/** A URL without user and password, for output. */
function bare(url: string): string {
  if (/^[\w.-]+:\d+$/.test(url)) return url;
  return URL.canParse(url) ? `${new URL(url).protocol}//${new URL(url).host}` : 'an invalid URL';
}

/** What a program writes to stdout and stderr, whatever its exit code (`mosquitto -h` ends with 3). */
async function outputOf(path: string, args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, args, { timeout: 5_000 });
    return stdout + stderr;
  } catch (error) {
    const parts = error as { stdout?: unknown; stderr?: unknown };
    return `${parts.stdout ?? ''}${parts.stderr ?? ''}`;
  }
}
