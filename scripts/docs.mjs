/** `npm run docs`: writes the TypeDoc reference over all packages to docs/reference/. */
import './lib/node-version.mjs';

const { join } = await import('node:path');
const { build, install } = await import('./lib/bootstrap.mjs');
const { root, run, step } = await import('./lib/step.mjs');

// TypeDoc needs TypeScript 6; both are at home in the docs workspace, beside the compiler of the packages.
const docs = join(root, 'docs');
const typedoc = () =>
  run(process.execPath, ['node_modules/typedoc/bin/typedoc', '--options', 'typedoc.config.js'], {
    cwd: docs,
  });

const good = (await install()) && (await build()) && (await step('reference', typedoc));
if (good) console.log('The reference is in docs/reference/index.html');
process.exitCode = good ? 0 : 1;
