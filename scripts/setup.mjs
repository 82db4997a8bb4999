/** `npm run setup`: installs and builds what is missing, as `npm start` and `npm test` do first. */
import './lib/node-version.mjs';

const { build, install } = await import('./lib/bootstrap.mjs');

process.exitCode = (await install()) && (await build()) ? 0 : 1;
