import { MemoryBroker, memory } from '@commlib/core';
import { describe, expect, test } from 'vitest';
import { transports } from '../connection/transports.js';
import { capturedIo } from '../terminal/captured-io.js';
import { runCli } from '../terminal/run.js';
import { readPairs } from './commands/config.js';
import { hbotctlProgram } from './program.js';

async function run(args: readonly string[], env = {}) {
  const io = capturedIo({ env });
  const broker = new MemoryBroker();
  const code = await runCli(hbotctlProgram(io, { ...transports, mqtt: () => memory({ broker }) }), args, io);
  return { code, stdout: io.stdout, stderr: io.stderr };
}

describe('wrong usage ends with 2, in one line', () => {
  test.each([
    [['status'], /missing required argument 'bot'/],
    [['statu', 'testbot'], /unknown command 'statu' \(Did you mean status\?\)/],
    [['balance', 'limits', 'x'], /unknown command 'limits' \(Did you mean limit\?\)/],
    [['status', 'testbot', 'again'], /too many arguments/],
    [['import', 'testbot'], /missing required argument 'strategy'/],
    [['config', 'testbot', 'tick_size'], /come in pairs, "tick_size" has no value/],
    [['balance', 'limit', 'testbot', 'kucoin', 'USDT', 'many'], /A number/],
    [['balance', 'paper', 'testbot', 'USDT'], /missing required argument 'amount'/],
    [['history', 'testbot', '--days', '0'], /above 0/],
    [['watch', 'testbot', '--only', 'events,logs'], /Streams are hb, events/],
    [['simulate', 'testbot', '--profile', '2.0'], /Allowed choices are seed, 2.13, 2.18/],
    [['broker', '--port', 'x'], /from 1 to 65535/],
    [['status', 'test+bot', '--dry-run'], /invalid name "test\+bot"/],
    [['simulate', 'a', '--dry-run'], /--dry-run is for commands that are sent to a bot/],
    [['status', 'a', '--dialect', 'x'], /Allowed choices are auto/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(/^hbotctl: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

test.each([
  [['status', '--json'], /missing required argument 'bot'/],
  [['status', 'testbot', '--timeout', 'abc', '--json'], /Seconds, a number above 0/],
  [['statu', 'testbot', '--json'], /unknown command 'statu' \(Did you mean status\?\)/],
])('%j is an error in JSON', async (args, message) => {
  const { code, stdout, stderr } = await run(args);
  expect(JSON.parse(stderr)).toEqual({ error: { code: 'USAGE', message: expect.stringMatching(message) } });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});

test.each([
  [[]],
  [['discover']],
  [['start']],
  [['stop']],
  [['import']],
  [['config']],
  [['balance', 'limit']],
  [['balance', 'paper']],
  [['history']],
  [['status']],
  [['watch']],
  [['simulate']],
  [['broker']],
])('%j --help has examples', async (command) => {
  const { code, stdout } = await run([...command, '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Examples:\n +\$ hbotctl /);
});

test('values of config are JSON where they are JSON, else text', () => {
  expect(
    readPairs(['a.b', '1', 'c', 'true', 'd', '"1"', 'e', 'plain text', 'f', '[1,{"g":null}]', 'h', '']),
  ).toEqual([
    ['a.b', 1],
    ['c', true],
    ['d', '1'],
    ['e', 'plain text'],
    ['f', [1, { g: null }]],
    ['h', ''],
  ]);
});

describe('--dry-run shows exactly what would be sent', () => {
  test.each([
    [['start', 'b'], 'hbot/b/start', { async_backend: false }],
    [
      ['start', 'b', '--script', 's', '--conf', 'c.yml', '--log-level', 'DEBUG', '--quickstart', '--async'],
      'hbot/b/start',
      { script: 's', conf: 'c.yml', log_level: 'DEBUG', is_quickstart: true, async_backend: true },
    ],
    [
      ['stop', 'b', '--skip-order-cancellation'],
      'hbot/b/stop',
      { skip_order_cancellation: true, async_backend: true },
    ],
    [['import', 'b', 'conf_x.yml'], 'hbot/b/import', { strategy: 'conf_x' }],
    [['config', 'b'], 'hbot/b/config', { params: [] }],
    [['config', 'b', 'k', '1'], 'hbot/b/config', { params: [['k', 1]] }],
    [
      ['balance', 'limit', 'b', 'kucoin', 'USDT', '-1'],
      'hbot/b/balance/limit',
      { exchange: 'kucoin', asset: 'USDT', amount: -1 },
    ],
    [['balance', 'paper', 'b', 'USDT', '1e3'], 'hbot/b/balance/paper', { asset: 'USDT', amount: 1000 }],
    [
      ['history', 'b', '--days', '0.5', '--precision', '2'],
      'hbot/b/history',
      { days: 0.5, precision: 2, async_backend: false },
    ],
    [['status', 'b', '-n', 'desk/one'], 'desk/one/b/status', { async_backend: false }],
    [['status', 'b.c', '--dialect', 'commlib'], 'hbot/b/c/status', { async_backend: false }],
  ])('%j', async (args, topic, data) => {
    const { code, stdout, stderr } = await run([...args, '--dry-run', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ dryRun: true, topic, data });
  });

  test('but no secret', async () => {
    const { stdout } = await run(['config', 'b', 'mqtt_bridge.mqtt_password', 'hunter2', '--dry-run']);
    expect(stdout).toContain('mqtt_bridge.mqtt_password');
    expect(stdout).not.toContain('hunter2');
  });
});

test('the namespace may come from the environment', async () => {
  const { stdout } = await run(['status', 'b', '--dry-run'], { HBOTCTL_NAMESPACE: 'desk' });
  expect(stdout).toContain('desk/b/status');
});
