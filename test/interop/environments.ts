import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './owned-process.js';

/** The Python environments of the interop tests: three releases of commlib-py and two whole Hummingbots. */
export const environmentNames = [
  'commlib-py-0.11.5',
  'commlib-py-0.13.1',
  'commlib-py-0.13.2',
  'hummingbot-2.13',
  'hummingbot-2.18',
] as const;

export type EnvironmentName = (typeof environmentNames)[number];

/** Why an environment cannot be had on this machine. A test that skips for this reason prints the message. */
export class EnvironmentUnavailableError extends Error {
  override readonly name = 'EnvironmentUnavailableError';
  readonly code: 'NO_PYTHON' | 'NO_INDEX' | 'INSTALL_FAILED';

  constructor(code: EnvironmentUnavailableError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const here = fileURLToPath(new URL('.', import.meta.url));
/** A Hummingbot is compiled from source: two minutes on an idle core. */
const INSTALL_TIMEOUT_MS = 20 * 60_000;

/** Where environments are kept: `$COMMLIB_CACHE`, or `~/.cache/commlib-ts`. */
export function cacheDirectory(): string {
  return process.env.COMMLIB_CACHE || join(homedir(), '.cache', 'commlib-ts');
}

/**
 * The path of an environment's Python. The environment is made when it is missing, which needs Python 3.11 (`python3.11`
 * on the PATH, or `$PYTHON`) and the package index; afterwards this takes a few milliseconds and needs neither.
 *
 * All versions are pinned by `requirements-*.txt`, so that one made tomorrow is the one made today. An environment counts
 * as finished only by a mark written at the very end, which names the contents of those files: one that was
 * interrupted, or made from other pins, is made anew. Of several processes that ask at once, one does the work and
 * the others wait for it.
 *
 * @throws {@link EnvironmentUnavailableError} without Python 3.11, without the index, or when an installation fails
 * @example
 * const python = await pythonOf('commlib-py-0.13.2');
 */
export async function pythonOf(name: EnvironmentName): Promise<string> {
  const directory = join(cacheDirectory(), name);
  const python = join(directory, 'bin', 'python');
  const mark = join(directory, '.commlib-ts-ready');
  const recipe = await recipeOf(name);
  const finished = async () => (await readFile(mark, 'utf8').catch(() => '')).trim() === recipe.fingerprint;

  if (await finished()) return python;
  await checkPython();
  await mkdir(cacheDirectory(), { recursive: true });
  const release = await lock(`${directory}.lock`);
  try {
    if (await finished()) return python; // someone else made it while we waited
    await rm(directory, { recursive: true, force: true });
    await recipe.make(directory);
    await writeFile(mark, `${recipe.fingerprint}\n`);
    return python;
  } finally {
    await release();
  }
}

/** True when an environment is there and whole; nothing is made. */
export async function isReady(name: EnvironmentName): Promise<boolean> {
  const mark = join(cacheDirectory(), name, '.commlib-ts-ready');
  return (await readFile(mark, 'utf8').catch(() => '')).trim() === (await recipeOf(name)).fingerprint;
}

interface Recipe {
  fingerprint: string;
  make(directory: string): Promise<void>;
}

async function recipeOf(name: EnvironmentName): Promise<Recipe> {
  const version = name.slice(name.lastIndexOf('-') + 1);
  if (name.startsWith('hummingbot-')) {
    const script = join(here, 'hummingbot', 'install.sh');
    const pins = join(here, 'hummingbot', `requirements-${version}.txt`);
    return {
      fingerprint: await digest(script, pins),
      make: (directory) => install(name, 'bash', [script, version, directory]),
    };
  }
  const pins = join(here, 'peers-py', `requirements-${version}.txt`);
  return {
    fingerprint: await digest(pins),
    make: async (directory) => {
      await install(name, basePython(), ['-m', 'venv', directory]);
      await install(name, join(directory, 'bin', 'python'), [
        '-m',
        'pip',
        'install',
        '--no-deps',
        '-r',
        pins,
      ]);
    },
  };
}

async function digest(...files: string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex');
}

function basePython(): string {
  return process.env.PYTHON || 'python3.11';
}

async function checkPython(): Promise<void> {
  const python = basePython();
  const wanted = 'Python 3.11 with venv is needed for the interop peers (python3.11 on the PATH, or $PYTHON)';
  const probe = await run(python, ['-c', 'import sys, venv; print("%d.%d" % sys.version_info[:2])'], {
    timeoutMs: 30_000,
  }).catch((cause: unknown) => {
    throw new EnvironmentUnavailableError('NO_PYTHON', `${wanted}: ${python} was not found`, { cause });
  });
  if (probe.code !== 0 || probe.output.trim() !== '3.11') {
    throw new EnvironmentUnavailableError('NO_PYTHON', `${wanted}: ${python} says ${probe.output.trim()}`);
  }
}

async function install(name: EnvironmentName, command: string, args: readonly string[]): Promise<void> {
  const env = { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_RETRIES: '2', PIP_TIMEOUT: '20', PIP_NO_INPUT: '1' };
  const { code, output } = await run(command, args, { timeoutMs: INSTALL_TIMEOUT_MS, env });
  if (code === 0) return;
  const last = output.trim().split('\n').slice(-15).join('\n');
  if (/connection broken|NewConnectionError|No matching distribution|Max retries exceeded/i.test(output)) {
    const message = `${name} cannot be made: the Python package index does not answer or lacks a package`;
    throw new EnvironmentUnavailableError('NO_INDEX', `${message}\n${last}`);
  }
  throw new EnvironmentUnavailableError(
    'INSTALL_FAILED',
    `${name} cannot be made (exit code ${code})\n${last}`,
  );
}

/**
 * An exclusive lock over processes: the kernel's own file lock, held by a child, since Node has no call for it.
 * It is free again as soon as its holder is gone, however that happened, so no stale lock can block anybody.
 */
async function lock(file: string): Promise<() => Promise<void>> {
  const program =
    'import fcntl,sys; f=open(sys.argv[1],"a"); fcntl.flock(f,fcntl.LOCK_EX); print("held",flush=True); sys.stdin.read()';
  const holder = spawn(basePython(), ['-c', program, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(holder, 'close');
  await Promise.race([
    once(holder.stdout, 'data'),
    closed.then(() => {
      throw new Error(`could not lock ${file}`);
    }),
  ]);
  return async () => {
    holder.stdin.end();
    await closed;
  };
}

// As a program: make the environments named on the command line, or all of them.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2);
  const wanted = environmentNames.filter((name) => asked.length === 0 || asked.includes(name));
  // All at once: each compiles on one core.
  const made = await Promise.allSettled(
    wanted.map(async (name) => {
      const begun = Date.now();
      const python = await pythonOf(name);
      console.log(`${name}  ${python}  ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    }),
  );
  for (const one of made) if (one.status === 'rejected') throw one.reason;
}
