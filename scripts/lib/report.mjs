import { relative, sep } from 'node:path';

/**
 * Puts together what a test run has shown.
 *
 * @param {object} input
 * @param {string} input.root the folder of the repository
 * @param {object | undefined} input.tests vitest's JSON report; undefined when it wrote none
 * @param {object[]} input.brokers lines of the broker log: `{ suite, broker, version, source, why? }` for each use, and one line
 *   `{ found: { … } }` with all that was looked for
 * @param {string[]} input.required names from `COMMLIB_BROKERS`
 * @param {string[]} input.failedChecks names of the checks before the tests that failed
 * @param {number} input.exitCode vitest's
 * @param {boolean} input.whole whether all tests were asked for
 */
export function readReport({ root, tests, brokers, required, failedChecks, exitCode, whole }) {
  const uses = brokers.filter((line) => line.suite);
  const found = Object.assign({}, ...brokers.map((line) => line.found ?? {}));
  const rows = [];
  const skipped = [];
  const failures = failedChecks.map((name) => `check: ${name}`);
  const total = { passed: 0, failed: failedChecks.length, skipped: 0 };

  /** Test files of one package make one row; each integration test file is its own. */
  const suites = new Map();
  for (const file of tests?.testResults ?? []) {
    const path = relative(root, file.name).split(sep).join('/');
    const unit = /^(packages\/[^/]+|scripts)\//.exec(path);
    const name = unit ? `${unit[1]} (unit)` : path;
    const suite = suites.get(name) ?? { passed: 0, failed: 0, skipped: 0 };
    suites.set(name, suite);
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
      // Broken before or beside its tests: at import, or in a hook.
      suite.failed++;
      failures.push(`${path}: ${file.message?.split('\n')[0] || 'the file could not be run'}`);
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') suite.passed++;
      else if (test.status === 'failed') {
        suite.failed++;
        failures.push([`${path}: ${test.fullName}`, ...reasons(test)].join('\n      '));
      } else {
        suite.skipped++;
        skipped.push(`${path}: ${test.fullName}`);
      }
    }
  }
  for (const [suite, counts] of suites) {
    for (const key of Object.keys(total)) total[key] += counts[key];
    const used = new Map();
    for (const use of uses) {
      if (use.suite === suite && use.source !== 'missing')
        used.set(`${use.broker} ${use.version}`, use.source);
    }
    const result = Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([key, count]) => `${count} ${key}`)
      .join(', ');
    // One line per broker; the suite and its result stand in the first.
    const brokersOfSuite = used.size > 0 ? [...used] : [['-', '-']];
    const lines = brokersOfSuite.map(([broker, source]) => ({ suite: '', broker, source, result: '' }));
    Object.assign(lines[0], { suite, result: result || 'no tests' });
    rows.push(lines);
  }

  const notRun = uses
    .filter((use) => use.source === 'missing')
    .map((use) => `${use.suite} on ${use.broker}: ${use.why}`);
  for (const name of required) {
    const answer = found[name];
    if (answer?.found) {
      const inUse = uses.some((use) => use.broker === name && use.source !== 'missing');
      if (whole && !inUse) notRun.push(`${name}: found (${answer.where}), but no suite used it`);
    } else if (answer) {
      notRun.push(`${name}: demanded by COMMLIB_BROKERS, not found: ${answer.why}`);
      total.failed++;
      failures.push(`${name} is demanded by COMMLIB_BROKERS and was not found`);
    } else if (Object.keys(found).length > 0) {
      total.failed++;
      failures.push(`${name} is demanded by COMMLIB_BROKERS, and no test knows it`);
    }
  }
  // What nobody demanded and nobody asked for is told as well.
  for (const [name, answer] of Object.entries(found)) {
    if (answer.found || required.includes(name)) continue;
    if (!uses.some((use) => use.broker === name)) notRun.push(`${name}: not found: ${answer.why}`);
  }
  if (exitCode !== 0 && total.failed === 0) {
    total.failed++;
    failures.push(`vitest ended with exit code ${exitCode}: see its output above`);
  }
  return { ...total, rows, notRun: [...new Set(notRun)], skippedTests: skipped, failures };
}

/** The beginning of what a failed test said. */
function reasons(test) {
  return (test.failureMessages ?? []).flatMap((message) =>
    message
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.includes('/node_modules/'))
      .slice(0, 12)
      .map((line) => line.slice(0, 500)),
  );
}

/** Prints the report; the totals are its last line. */
export function printReport(
  { rows, notRun, skippedTests, failures, passed, failed, skipped },
  print = console.log,
) {
  print('');
  const header = {
    suite: 'suite',
    broker: 'broker and version',
    source: 'how it was found',
    result: 'result',
  };
  const sorted = rows.toSorted(([a], [b]) => (a.suite < b.suite ? -1 : 1));
  const table = [header, ...sorted.flat()];
  const columns = ['suite', 'broker', 'source', 'result'];
  const width = Object.fromEntries(
    columns.map((key) => [key, Math.max(...table.map((row) => row[key].length))]),
  );
  for (const row of table) {
    print(
      columns
        .map((key) => row[key].padEnd(width[key]))
        .join(' | ')
        .trimEnd(),
    );
    if (row === header) print(columns.map((key) => '-'.repeat(width[key])).join('-|-'));
  }
  const list = (title, lines) => {
    if (lines.length > 0) print(`\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  };
  list('Not run', notRun);
  list('Skipped tests', skippedTests);
  list('Failed', failures);
  print(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
}
