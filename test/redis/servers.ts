import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findBroker, freePort, until } from '../brokers/index.js';
import { startProcess } from '../brokers/process.js';

/** A server of a group: they name each other by 127.0.0.1 and their ports, which those in containers cannot. */
export interface NativeServer {
  readonly port: number;
  readonly url: string;
  /** Ends it; `SIGKILL` as a crash does. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The program, or why groups of servers cannot be started here. */
export async function nativeRedis(): Promise<{ readonly program: string } | { readonly why: string }> {
  const found = await findBroker('redis', { own: true });
  if (found.found && found.source === 'binary') return { program: found.where };
  return {
    why: 'servers of a cluster, and sentinels, need a redis-server of this machine: in containers they do not know their addresses',
  };
}

async function startNative(lines: readonly string[], sentinel = false): Promise<NativeServer> {
  const native = await nativeRedis();
  if ('why' in native) throw new Error(native.why);
  const directory = await mkdtemp(join(tmpdir(), 'commlib-redis-'));
  const port = await freePort();
  const file = join(directory, 'redis.conf');
  const common = ['bind 127.0.0.1', 'protected-mode no', `port ${port}`, `dir ${directory}`, 'daemonize no'];
  await writeFile(file, [...common, ...(sentinel ? [] : ['save ""']), ...lines, ''].join('\n'));
  const server = await startProcess(native.program, sentinel ? [file, '--sentinel'] : [file], {
    directory,
    ready: async (log) => /Ready to accept connections|Sentinel ID is/.test(log),
    timeoutMs: 30_000,
  });
  let stopped: Promise<void> | undefined;
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    stop: (signal = 'SIGTERM') => {
      stopped ??= server.end(signal).then(() => rm(directory, { recursive: true, force: true }));
      return stopped;
    },
  };
}

/** Several servers that belong together. */
export interface Servers extends AsyncDisposable {
  readonly servers: readonly NativeServer[];
}

/** A cluster of masters without replicas, all slots served. */
export async function startCluster(masters = 3): Promise<Servers & { readonly urls: readonly string[] }> {
  const servers: NativeServer[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (let i = 0; i < masters; i++) {
      // The bus's port is not 10 000 above its own, which may be taken or beyond 65 535.
      const config = [
        'cluster-enabled yes',
        `cluster-port ${await freePort()}`,
        'cluster-node-timeout 2000',
        'cluster-require-full-coverage yes',
      ];
      servers.push(await startNative(config));
    }
    const clients = servers.map((server) => client(server.url));
    const [first] = clients;
    const size = Math.ceil(16_384 / masters);
    for (const [i, one] of clients.entries())
      await one.call('CLUSTER', 'ADDSLOTSRANGE', i * size, Math.min(16_383, (i + 1) * size - 1));
    for (const [i, server] of servers.entries()) {
      if (i === 0) continue;
      const bus = String(await clients[i]?.call('CONFIG', 'GET', 'cluster-port')).split(',')[1] ?? '';
      await first?.call('CLUSTER', 'MEET', '127.0.0.1', server.port, bus);
    }
    const whole = async (one: Redis) => {
      const info = String(await one.call('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${masters}`);
    };
    await until(async () => (await Promise.all(clients.map(whole))).every(Boolean), {
      what: 'the cluster',
      timeoutMs: 30_000,
    });
    for (const one of clients) one.disconnect();
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, urls: servers.map(({ url }) => url), [Symbol.asyncDispose]: stop };
}

/** A master with one replica and three sentinels that watch it as `main`. */
export interface Watched extends Servers {
  readonly sentinels: readonly number[];
  readonly master: NativeServer;
  readonly replica: NativeServer;
}

export async function startWatched(): Promise<Watched> {
  const servers: NativeServer[] = [];
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    const master = await startNative(['appendonly yes', 'repl-diskless-sync-delay 0']);
    servers.push(master);
    const replica = await startNative([
      'appendonly yes',
      `replicaof 127.0.0.1 ${master.port}`,
      'repl-diskless-sync-delay 0',
    ]);
    servers.push(replica);
    const observer = client(replica.url);
    await until(async () => (await observer.info('replication')).includes('master_link_status:up'), {
      what: 'the replication',
    });
    observer.disconnect();
    const sentinels: NativeServer[] = [];
    for (let i = 0; i < 3; i++) {
      const config = [
        `sentinel monitor main 127.0.0.1 ${master.port} 2`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 3000',
      ];
      sentinels.push(await startNative(config, true));
    }
    servers.push(...sentinels);
    const clients = sentinels.map(({ port }) => client(`redis://127.0.0.1:${port}`));
    const knows = async (one: Redis) => {
      const fields = (await one.call('SENTINEL', 'MASTER', 'main')) as string[];
      const field = (name: string) => fields[fields.indexOf(name) + 1];
      return (
        field('num-slaves') === '1' && field('num-other-sentinels') === '2' && field('flags') === 'master'
      );
    };
    await until(async () => (await Promise.all(clients.map(knows))).every(Boolean), {
      what: 'the sentinels',
      timeoutMs: 30_000,
    });
    for (const one of clients) one.disconnect();
    return {
      servers,
      sentinels: sentinels.map(({ port }) => port),
      master,
      replica,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function client(url: string): Redis {
  const one = new Redis(url, { enableReadyCheck: false });
  one.on('error', () => {});
  return one;
}
