/**
 * `npm test`: installs and builds what is missing, checks the code, runs all tests, and prints which suite ran against which
 * broker. `npm test -- <filter>` passes everything after `--` to vitest and leaves the checks of the code out. The last line is
 * `N passed, N failed, N skipped`; the exit code is 0 only if nothing failed.
 */
import './lib/node-version.mjs';

const { existsSync, mkdirSync, readFileSync, rmSync } = await import('node:fs');
const { join } = await import('node:path');
const { build, install } = await import('./lib/bootstrap.mjs');
const { printReport, readReport } = await import('./lib/report.mjs');
const { root, run, step, tool } = await import('./lib/step.mjs');

const filter = process.argv.slice(2);
const cache = join(root, '.cache');
const reportFile = join(cache, 'tests.json');
const brokerLog = join(cache, 'brokers.jsonl');

if (!((await install()) && (await build()))) {
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}

/** Checks that failed; each counts as one failure beside the tests. */
const failedChecks = [];
async function check(name, work) {
  if (!(await step(name, work))) failedChecks.push(name);
}
if (filter.length === 0) {
  await check('biome', () => tool('@biomejs/biome', 'bin/biome', ['check', '.']));
  await check('import directions', () => run(process.execPath, [join(root, 'scripts/check-imports.mjs')]));
  await check('types of the tests', () => tool('typescript', 'bin/tsc', ['-b']));
}

mkdirSync(cache, { recursive: true });
for (const file of [reportFile, brokerLog]) rmSync(file, { force: true });
const { code } = await tool(
  'vitest',
  'vitest.mjs',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`, ...filter],
  { show: true, env: { ...process.env, COMMLIB_BROKER_LOG: brokerLog } },
);

const linesOf = (file) =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : [];
const report = readReport({
  root,
  tests: existsSync(reportFile) ? JSON.parse(readFileSync(reportFile, 'utf8')) : undefined,
  brokers: linesOf(brokerLog).map((line) => JSON.parse(line)),
  required: (process.env.COMMLIB_BROKERS ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean),
  failedChecks,
  exitCode: code,
  whole: filter.length === 0,
});
printReport(report);
process.exitCode = report.failed === 0 ? 0 : 1;
