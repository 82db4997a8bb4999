import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, step, tool } from './step.mjs';

/** The one version of pnpm: that of `packageManager`, which corepack cannot be relied on to bring. */
const pnpm = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager;

/** Runs pnpm through npx, so that nobody has to install it. */
export function runPnpm(args, options = {}) {
  // With CI set, pnpm asks no questions (such as whether it may replace a node_modules folder of another version).
  return run('npx', ['-y', pnpm, ...args], { ...options, env: { ...process.env, CI: 'true' } });
}

const packages = readdirSync(join(root, 'packages'))
  .sort()
  .map((name) => `packages/${name}`)
  .filter((folder) => existsSync(join(root, folder, 'package.json')));
const workspaces = ['.', ...packages, 'test', 'docs'];
const stamp = join(root, 'node_modules/.commlib-install');

/** Changes whenever an install has something to do. */
function fingerprint() {
  const hash = createHash('sha256').update(
    `${process.platform} ${process.arch} ${process.versions.modules}\n`,
  );
  const manifests = workspaces.map((folder) => join(folder, 'package.json'));
  manifests.push('pnpm-lock.yaml', 'pnpm-workspace.yaml');
  for (const path of manifests) hash.update(`${path}\n`).update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/** Installs the dependencies if they are missing or not those of the lock file. Resolves with whether it went well. */
export async function install() {
  const wanted = fingerprint();
  const complete = workspaces.every((folder) => existsSync(join(root, folder, 'node_modules')));
  if (complete && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true;
  const good = await step('install', () => runPnpm(['install', '--frozen-lockfile']));
  if (good) writeFileSync(stamp, wanted);
  return good;
}

/** Compiles every package. */
export function build() {
  return step('build', () => tool('typescript', 'bin/tsc', ['-b', ...packages]));
}
