/**
 * Runs the built tools as a user does: `node_modules/.bin/commlib`, in a folder and a home of their own, without the
 * variables of this machine. `npm test` builds first; by hand, `npm run build`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../brokers/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules/.bin');

/** What a finished run has left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool that runs. */
export interface Running {
  readonly process: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** The lines of stdout so far, without the one that is not yet complete. */
  lines(): string[];
  /** Waits until stdout and stderr together match. */
  shows(pattern: RegExp, timeoutMs?: number): Promise<void>;
  readonly finished: Promise<Finished>;
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<Finished>;
}

/** Where and with what a tool runs. */
export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const homes: string[] = [];

/** A folder of this test, removed when the process ends. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'commlib-cli-'));
  homes.push(path);
  return path;
}
const children = new Set<ChildProcess>();
process.on('exit', () => {
  // Of a test that failed half way.
  for (const child of children) child.kill('SIGKILL');
  for (const path of homes) rmSync(path, { recursive: true, force: true });
});

let home: string | undefined;

/** The environment of a user who has set nothing. */
function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  home ??= folder();
  const { PATH = '', LANG } = process.env;
  return { PATH: `${bin}${delimiter}${PATH}`, HOME: home, ...(LANG && { LANG }), ...extra };
}

/** Starts a tool (`commlib`, `hbotctl`) or the main job (`main-job`). */
export function start(tool: string, args: readonly string[], options: ToolOptions = {}): Running {
  const [command, first] =
    tool === 'main-job'
      ? [process.execPath, [join(root, 'packages/cli/dist/main-job/index.js')]]
      : [join(bin, tool), []];
  return follow(spawnIn(command, [...first, ...args], options));
}

/** Starts a line of shell, exactly as it would be typed. */
export function shell(line: string, options: ToolOptions = {}): Running {
  return follow(spawnIn('/bin/sh', ['-c', line], options));
}

/** Runs a tool to its end. */
export function run(tool: string, args: readonly string[], options?: ToolOptions): Promise<Finished> {
  return start(tool, args, options).finished;
}

function spawnIn(command: string, args: readonly string[], { env, cwd }: ToolOptions): ChildProcess {
  const environ = environment(env);
  return spawn(command, args, { cwd: cwd ?? home, env: environ, stdio: ['ignore', 'pipe', 'pipe'] });
}

function follow(child: ChildProcess): Running {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  children.add(child);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      children.delete(child);
      resolve({ code, stdout, stderr });
    });
  });
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    lines: () => stdout.split('\n').slice(0, -1),
    async shows(pattern, timeoutMs = 15_000) {
      await until(() => pattern.test(`${stdout}\n${stderr}`), {
        what: `${pattern} in\n${stdout}\n${stderr}`,
        timeoutMs,
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}\nstdout: ${stdout}\nstderr: ${stderr}`);
      });
    },
    finished,
    end(signal = 'SIGINT') {
      child.kill(signal);
      return finished;
    },
  };
}

/** A simulated bot in a process of its own, ready. */
export async function simulate(broker: string, ...args: readonly string[]): Promise<Running> {
  const bot = start('hbotctl', ['simulate', 'testbot', '--broker', broker, '--heartbeat', '1', ...args]);
  await bot.shows(/is simulated at/);
  return bot;
}
