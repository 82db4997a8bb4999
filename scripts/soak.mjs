/** `npm run soak`: installs and builds what is missing, then runs the fault tests in their full size and prints their figures. */
import './lib/node-version.mjs';

const { createRequire } = await import('node:module');
const { pathToFileURL } = await import('node:url');
const { build, install } = await import('./lib/bootstrap.mjs');
const { root, run } = await import('./lib/step.mjs');

if (!((await install()) && (await build()))) process.exit(1);
// The packages are the compiled ones; only the tests themselves are read as TypeScript.
const loader = createRequire(`${root}/test/`).resolve('tsx');
const { code } = await run(
  process.execPath,
  ['--import', pathToFileURL(loader).href, `${root}test/faults/soak.ts`, ...process.argv.slice(2)],
  { show: true },
);
process.exitCode = code;
