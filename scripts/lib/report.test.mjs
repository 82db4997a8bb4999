import { expect, test } from 'vitest';
import { printReport, readReport } from './report.mjs';

const file = (name, statuses, more = {}) => ({
  name: `/repository/${name}`,
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status, index) => ({ status, fullName: `test ${index}` })),
  ...more,
});
const base = { root: '/repository', brokers: [], required: [], failedChecks: [], exitCode: 0, whole: true };

function printed(report) {
  const lines = [];
  printReport(report, (line) => lines.push(line));
  return lines.join('\n').split('\n');
}

test('counts, one row per package and per integration test, brokers beside them', () => {
  const report = readReport({
    ...base,
    tests: {
      testResults: [
        file('packages/core/src/a.test.ts', ['passed', 'passed']),
        file('packages/core/src/b.test.ts', ['passed']),
        file('test/e2e/watch.test.ts', ['passed', 'pending']),
      ],
    },
    brokers: [
      { found: { mosquitto: { found: true } } },
      { suite: 'test/e2e/watch.test.ts', broker: 'mosquitto', version: '2.0.11', source: 'binary' },
      { suite: 'test/e2e/watch.test.ts', broker: 'aedes', version: '1.2.0', source: 'embedded' },
      { suite: 'test/e2e/watch.test.ts', broker: 'emqx', version: '-', source: 'missing', why: 'no Docker' },
    ],
  });
  const lines = printed(report);
  expect(lines).toContain('packages/core (unit)   | -                  | -                | 3 passed');
  expect(lines).toContain(
    'test/e2e/watch.test.ts | mosquitto 2.0.11   | binary           | 1 passed, 1 skipped',
  );
  expect(lines).toContain('                       | aedes 1.2.0        | embedded         |');
  expect(lines).toContain('  test/e2e/watch.test.ts on emqx: no Docker');
  expect(lines).toContain('  test/e2e/watch.test.ts: test 1');
  expect(lines.at(-1)).toBe('4 passed, 0 failed, 1 skipped');
});

test('a broker that COMMLIB_BROKERS demands and that is missing or unknown is a failure; one that nobody demands is told', () => {
  const report = readReport({
    ...base,
    tests: { testResults: [] },
    brokers: [
      { found: { mosquitto: { found: false, why: 'no Docker' }, emqx: { found: false, why: 'no image' } } },
    ],
    required: ['mosquitto', 'kafak'],
  });
  const lines = printed(report);
  expect(lines).toContain('  mosquitto: demanded by COMMLIB_BROKERS, not found: no Docker');
  expect(lines).toContain('  kafak is demanded by COMMLIB_BROKERS, and no test knows it');
  expect(lines).toContain('  emqx: not found: no image');
  expect(lines.at(-1)).toBe('0 passed, 2 failed, 0 skipped');
});

test('never green when a check failed, a file broke, or vitest said no', () => {
  const tests = { testResults: [file('packages/core/src/a.test.ts', ['passed'])] };
  expect(readReport({ ...base, tests, failedChecks: ['biome'] }).failed).toBe(1);
  expect(readReport({ ...base, tests, exitCode: 1 }).failed).toBe(1);
  expect(readReport({ ...base, tests: undefined, exitCode: 1 }).failed).toBe(1);
  const broken = {
    testResults: [file('test/x.test.ts', [], { status: 'failed', message: 'SyntaxError: no\nat x' })],
  };
  const report = readReport({ ...base, tests: broken, exitCode: 1 });
  expect(report.failures).toEqual(['test/x.test.ts: SyntaxError: no']);
  expect(report.failed).toBe(1);
});

test('a failed test is listed with the beginning of what it said', () => {
  const failed = file('test/x.test.ts', ['failed']);
  failed.assertionResults[0].failureMessages = [
    'AssertionError: expected 1 to be 2\n    at /repository/test/x.test.ts:3:1\n    at run (file:///repository/node_modules/r/r.js:1:1)',
  ];
  const lines = printed(readReport({ ...base, tests: { testResults: [failed] }, exitCode: 1 }));
  expect(lines.slice(lines.indexOf('Failed:'))).toEqual([
    'Failed:',
    '  test/x.test.ts: test 0',
    '      AssertionError: expected 1 to be 2',
    '          at /repository/test/x.test.ts:3:1',
    '',
    '0 passed, 1 failed, 0 skipped',
  ]);
});
