import type { StartedTestContainer } from 'testcontainers';

/** Whether an image can be run here, and if not, why, in one line. */
export type Availability = { available: true } | { available: false; why: string };

const pullTimeoutMs = Number(process.env.COMMLIB_PULL_TIMEOUT_MS ?? 60_000);
const engineTimeoutMs = process.env.COMMLIB_DOCKER === 'only' ? 30_000 : 5_000;

/**
 * Whether Docker answers and has the image, pulling it if need be. Bounded: twice 5 s for the engine, 30 s with
 * `COMMLIB_DOCKER=only`; `COMMLIB_PULL_TIMEOUT_MS` (default 60 000; 0: nothing is pulled) for the pull. `COMMLIB_DOCKER=0`
 * leaves Docker out.
 */
export async function imageAvailable(image: string): Promise<Availability> {
  if (process.env.COMMLIB_DOCKER === '0')
    return { available: false, why: 'Docker left out (COMMLIB_DOCKER=0)' };
  try {
    const { getContainerRuntimeClient, getReaper, ImageName } = await import('testcontainers');
    const client = await askEngine(() => getContainerRuntimeClient());
    const name = ImageName.fromString(image);
    if (!(await askEngine(() => client.image.exists(name)))) {
      if (pullTimeoutMs === 0) throw new Error('it is not there, and nothing is to be pulled');
      await within(pullTimeoutMs, `not pulled within ${pullTimeoutMs} ms`, client.image.pull(name));
    }
    // Without its helper Ryuk, an image of its own, Testcontainers starts nothing.
    await within(
      Math.max(pullTimeoutMs, engineTimeoutMs),
      'Ryuk, the helper of Testcontainers, was not started in time',
      getReaper(client),
    );
    return { available: true };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const why = /container runtime/.test(reason)
      ? 'no Docker'
      : `no ${image} in Docker: ${reason.trim().split('\n')[0]}`;
    return { available: false, why };
  }
}

/** What is not found once is not looked for again in the whole run, so that one slow answer must not be the last word. */
async function askEngine<T>(question: () => Promise<T>): Promise<T> {
  const ask = () => within(engineTimeoutMs, 'Docker does not answer', question());
  return ask().catch(ask);
}

async function within<T>(timeoutMs: number, why: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A file to put into a container. */
export interface ContainerFile {
  content: string;
  target: string;
}

/** What {@link startContainer} needs. */
export interface ContainerOptions {
  image: string;
  /** Port inside → port of the host, fixed, so that it stays the same over a restart. */
  ports: ReadonlyMap<number, number>;
  files?: readonly ContainerFile[];
  /** Instead of the image's own command. */
  command?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** Directories of the host. */
  mounts?: readonly { source: string; target: string; mode: 'rw' | 'ro' }[];
  ready(): Promise<boolean>;
  timeoutMs: number;
}

/** A broker in a container, with the same controls as a process. */
export interface ServerContainer {
  /** The process id of the server as the host sees it; 0 where Docker runs in a virtual machine. */
  pid(): number;
  log(): Promise<string>;
  end(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Starts a container with fixed ports. Testcontainers' own Ryuk removes it should this process die (unless it is switched
 * off by `TESTCONTAINERS_RYUK_DISABLED=true`, which a machine without a registry needs).
 */
export async function startContainer(options: ContainerOptions): Promise<ServerContainer> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  const { until } = await import('./until.js');
  const ports = [...options.ports].map(([container, host]) => ({ container, host }));
  const started: StartedTestContainer = await new GenericContainer(options.image)
    .withExposedPorts(...ports)
    .withCopyContentToContainer([...(options.files ?? [])].map((file) => ({ ...file, mode: 0o644 })))
    .withCommand([...(options.command ?? [])])
    .withEnvironment({ ...options.env })
    .withBindMounts([...(options.mounts ?? [])])
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(options.timeoutMs)
    .start();
  const client = await getContainerRuntimeClient();
  const container = client.container.getById(started.getId());
  const state = async () => (await container.inspect()).State;
  const ready = () =>
    until(options.ready, { what: `${options.image} is ready`, timeoutMs: options.timeoutMs });
  await ready();
  let pid = (await state()).Pid;
  return {
    pid: () => pid,
    async log() {
      const output = await container.logs({ stdout: true, stderr: true, follow: false });
      return withoutHeaders(output);
    },
    async end(signal) {
      if (!(await state()).Running) return;
      await container.kill({ signal });
      const timer = setTimeout(() => {
        container.kill({ signal: 'SIGKILL' }).catch(() => {}); // ended meanwhile
      }, 30_000);
      await container.wait().finally(() => clearTimeout(timer));
    },
    async start() {
      await container.start();
      await ready();
      pid = (await state()).Pid;
    },
    async remove() {
      await started.stop({ remove: true, timeout: 0 });
    },
  };
}

/** Docker puts a header of eight bytes before every piece of a log: the stream, three zeros, the length. */
function withoutHeaders(log: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= log.length; ) {
    const end = at + 8 + log.readUInt32BE(at + 4);
    text += log.toString('utf8', at + 8, end);
    at = end;
  }
  return text;
}
