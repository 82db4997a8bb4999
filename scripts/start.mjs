/** `npm start`: installs and builds what is missing, then runs the main job with the arguments after `--`. */
import './lib/node-version.mjs';

const { build, install } = await import('./lib/bootstrap.mjs');
const { root, run } = await import('./lib/step.mjs');

if (!((await install()) && (await build()))) process.exit(1);
const job = `${root}/packages/cli/dist/main-job/index.js`;
const { code } = await run(process.execPath, [job, ...process.argv.slice(2)], {
  show: true,
  cwd: process.cwd(),
});
process.exitCode = code;
