/**
 * `npm run check:packages`: packs every package as it would be published and asks publint and "are the types wrong" about the
 * tarball: entry points, types, ESM only.
 */
import './lib/node-version.mjs';

const { mkdtempSync, readdirSync, rmSync } = await import('node:fs');
const { tmpdir } = await import('node:os');
const { join } = await import('node:path');
const { build, install, runPnpm } = await import('./lib/bootstrap.mjs');
const { root, step, tool } = await import('./lib/step.mjs');

if (!((await install()) && (await build()))) process.exit(1);

let good = true;
const tarballs = mkdtempSync(join(tmpdir(), 'commlib-packages-'));
try {
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    const folder = join(tarballs, name);
    const pack = () => runPnpm(['pack', '--pack-destination', folder], { cwd: join(root, 'packages', name) });
    if (!(await step(`pack ${name}`, pack))) {
      good = false;
      continue;
    }
    const tarball = join(folder, readdirSync(folder)[0]);
    const publint = () => tool('publint', 'src/cli.js', ['run', tarball, '--strict']);
    const attw = () =>
      tool('@arethetypeswrong/cli', 'dist/index.js', [
        '--profile',
        'esm-only',
        '--format',
        'ascii',
        '--no-color',
        tarball,
      ]);
    if (!(await step(`publint ${name}`, publint))) good = false;
    if (!(await step(`attw ${name}`, attw))) good = false;
  }
} finally {
  rmSync(tarballs, { recursive: true, force: true });
}
process.exitCode = good ? 0 : 1;
