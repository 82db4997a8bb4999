import { type ChildProcess, spawn } from 'node:child_process';
import { until } from './until.js';

/** A server process that a test started. */
export interface ServerProcess {
  readonly pid: number;
  /** What it has written to stdout and stderr, the last 200 000 characters. */
  log(): string;
  /** True until the process has ended. */
  running(): boolean;
  /** Sends the signal and resolves when the process has ended; sends SIGKILL after `timeoutMs` (default 10 000). */
  end(signal: NodeJS.Signals, timeoutMs?: number): Promise<void>;
}

/** Options of {@link startProcess}. */
export interface ServerProcessOptions {
  env?: NodeJS.ProcessEnv;
  /** Removed by the guard if this test process dies before it could clean up. */
  directory?: string;
  /**
   * Asked repeatedly, with the first 200 000 characters the process has written; it counts as started once this says true. A port that
   * accepts is not enough: it may be somebody else's.
   */
  ready(log: string): Promise<boolean>;
  /** Default 15 000 ms. */
  timeoutMs?: number;
}

const logLimit = 200_000;

/**
 * Starts a server and resolves when it is ready.
 *
 * A guard process (a shell that waits for the end of its standard input) kills the server when this process dies, however
 * it dies: no failed or aborted test leaves a server behind.
 *
 * @throws Error with the server's own output when it ends or when it is not ready in time.
 */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: ServerProcessOptions,
): Promise<ServerProcess> {
  // A process group of its own: Ctrl-C in the terminal ends the tests, and they end the server in their order.
  const child = spawn(command, args, {
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  // A server that is busy at once says so much that its first lines are gone before they are looked at.
  let beginning = '';
  const collect = (chunk: Buffer) => {
    const text = chunk.toString('utf8');
    if (beginning.length < logLimit) beginning += text;
    log = (log + text).slice(-logLimit);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const running = () => child.exitCode === null && child.signalCode === null && failure === undefined;
  const pid = child.pid;
  if (pid === undefined) {
    await ended;
    throw new Error(`cannot start ${command}: ${failure?.message ?? 'unknown reason'}`);
  }
  const guard = guardOf(pid, options.directory ?? '');
  void ended.then(() => guard.kill('SIGKILL'));

  const server: ServerProcess = {
    pid,
    log: () => log,
    running,
    async end(signal, timeoutMs = 10_000) {
      if (!running()) return ended;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      await ended;
      clearTimeout(timer);
    },
  };
  try {
    await until(async () => !running() || (await options.ready(beginning)), {
      what: `${command} is ready`,
      timeoutMs: options.timeoutMs ?? 15_000,
      everyMs: 25,
    });
    if (!running()) throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
  } catch (error) {
    await server.end('SIGKILL');
    throw new Error(`${command} did not start: ${String(error)}\n${log.trim()}`, { cause: error });
  }
  return server;
}

function guardOf(pid: number, directory: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1"; test -z "$2" || rm -rf "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(pid), directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  guard.on('error', () => {});
  guard.stdin?.on('error', () => {});
  return guard;
}
