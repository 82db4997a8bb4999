/** `npm run bench`: installs and builds what is missing, then measures with the arguments after `--`. */
import './lib/node-version.mjs';

const { createRequire } = await import('node:module');
const { pathToFileURL } = await import('node:url');
const { build, install } = await import('./lib/bootstrap.mjs');
const { root, run } = await import('./lib/step.mjs');

if (!((await install()) && (await build()))) process.exit(1);
// The measured packages are the compiled ones; only the measuring itself is read as TypeScript.
const loader = createRequire(`${root}/test/`).resolve('tsx');
const { code } = await run(
  process.execPath,
  ['--import', pathToFileURL(loader).href, `${root}/test/bench/main.ts`, ...process.argv.slice(2)],
  { show: true, cwd: process.cwd() },
);
process.exitCode = code;
