/** What `--peers` adds: each peer is installed on demand, outside of this repository, from its own lockfile. */
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, pythonOf } from '../interop/environments.js';
import { run } from '../interop/owned-process.js';
import type { Subject } from './scenarios.js';

const here = fileURLToPath(new URL('./peers', import.meta.url));
const INSTALL_TIMEOUT_MS = 5 * 60_000;
/** The newest, and the only one whose RPC works on all four transports. */
export const PYTHON_VERSION = '0.13.2';

export interface Peers {
  /** With a folder for each Node package. */
  readonly folder: string;
  /** The Python that has commlib-py. */
  readonly python: string | undefined;
  /** Why some cannot be measured. */
  readonly missing: ReadonlyMap<Subject, string>;
}

/** Makes what is missing of these; a second time it takes no time. */
export async function preparePeers(subjects: readonly Subject[]): Promise<Peers> {
  const folder = join(cacheDirectory(), 'bench-peers');
  const missing = new Map<Subject, string>();
  let python: string | undefined;
  for (const subject of subjects) {
    try {
      if (subject === 'commlib-py') python = await pythonOf(`commlib-py-${PYTHON_VERSION}`);
      else if (subject === 'nestjs' || subject === 'moleculer') await install(subject, join(folder, subject));
    } catch (error) {
      missing.set(subject, error instanceof Error ? error.message : String(error));
    }
  }
  return { folder, python, missing };
}

async function install(peer: string, folder: string): Promise<void> {
  const recipe = join(here, peer);
  const lockfile = await readFile(join(recipe, 'package-lock.json'));
  const fingerprint = createHash('sha256').update(lockfile).update(process.version).digest('hex');
  const mark = join(folder, '.ready');
  if ((await readFile(mark, 'utf8').catch(() => '')) === fingerprint) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(recipe, folder, { recursive: true });
  const { code, output } = await run('npm', ['ci', '--ignore-scripts', '--prefix', folder], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  if (code !== 0) throw new Error(`npm ci failed: ${output.trim().split('\n').slice(-5).join(' ')}`);
  await writeFile(mark, fingerprint);
}
