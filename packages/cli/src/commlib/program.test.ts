import { MemoryBroker, memory } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TransportRegistry, transports } from '../connection/transports.js';
import { type CapturedIo, capturedIo } from '../terminal/captured-io.js';
import { runCli } from '../terminal/run.js';
import { commlibProgram } from './program.js';

let broker: MemoryBroker;
let registry: TransportRegistry;
const running: { io: CapturedIo; done: Promise<number> }[] = [];

beforeEach(() => {
  broker = new MemoryBroker();
  registry = { ...transports, mqtt: () => memory({ broker }) };
});
afterEach(async () => {
  for (const { io, done } of running.splice(0)) {
    io.stop();
    await done;
  }
});

async function run(args: readonly string[], options: Parameters<typeof capturedIo>[0] = {}) {
  const io = capturedIo(options);
  const code = await runCli(commlibProgram(io, registry), args, io);
  return { code, stdout: io.stdout, stderr: io.stderr };
}

async function start(args: readonly string[], ready: RegExp, options: Parameters<typeof capturedIo>[0] = {}) {
  const io = capturedIo(options);
  const done = runCli(commlibProgram(io, registry), args, io);
  running.push({ io, done });
  await expect.poll(() => io.stderr).toMatch(ready);
  return { io, done };
}

describe('wrong usage ends with 2, in one line, before anything is connected', () => {
  test.each([
    [['rpcc', 'a/b', '{"a": 1,}'], /DATA is not JSON: .* at position 8, here: \{"a": 1,▶\}/],
    [['rpcc', 'a/b', '{a: 1}'], /at position 1.*double quotes/],
    [['rpcc', 'a/b', "{'a': None}"], /double quotes/],
    [['rpcc', 'a/b', '{"a": None}'], /JSON writes null, true and false/],
    [['rpcc', 'a/b', ''], /'\{\}'/],
    [['rpcc', 'a/b', '{"a": {"b": [1, 2}}'], /at position 17/],
    [['rpcc', 'a/b', '{"__proto__": 1}'], /__proto__/],
    [['rpcc', 'a/b'], /missing required argument 'data'/],
    [['rpcc', 'a/+', '{}'], /invalid name "a\/\+": wildcards/],
    [['rpcs', 'a/b', '--reply', 'no'], /--reply is not JSON/],
    [['pub', 'a/b', '{}', '--rate', '-1'], /--rate.*0 for once/],
    [['pub', 'a/b', '{}', '--qos', '3'], /0, 1 or 2/],
    [['sub', 'a/#/b'], /# must be the last level/],
    [['sub', '--literal', 'a.*'], /the wildcards are \+ and #/],
    [['sub', 'a', '--count', '0'], /--count.*above 0/],
    [['sub', 'a', '--json', '--plain'], /cannot be used with/],
    [['publish', 'a', '{}'], /unknown command 'publish'/],
    [['sub', 'a', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
    [['-t', 'zeromq', 'sub', 'a'], /Allowed choices are mqtt, amqp, redis, kafka/],
    [['-p', '99999', 'sub', 'a'], /from 1 to 65535/],
    [['--timeout', '0', 'sub', 'a'], /above 0/],
    [['-b', 'http://localhost', 'sub', 'a'], /begins with http:\/\/, known are mqtt/],
    [['-b', 'localhost:1883', 'sub', 'a'], /must look like mqtt:\/\/host:1883/],
    [['-b', 'mqtt://a', '-h', 'b', 'sub', 'a'], /both a broker URL and a host/],
    [['-b', 'amqp://a', '-t', 'mqtt', 'sub', 'a'], /URL is for amqp, but the broker type is mqtt/],
    [['-b', 'redis://a/x', 'sub', 'a'], /may end in a database number only/],
    [['-b', 'kafka://a/x', 'sub', 'a'], /has something after the host/],
    [['sub', '--at-least-once', 'a'], /--at-least-once needs --group/],
    [['--ca', 'nowhere.pem', 'sub', 'a'], /the CA file nowhere.pem does not exist/],
    [['--cert', 'c.pem', 'sub', 'a'], /both --cert and --key/],
    [['--password-file', 'nowhere', 'sub', 'a'], /the password file nowhere does not exist/],
    [['--config', 'nowhere.json', 'sub', 'a'], /nowhere.json does not exist/],
  ])('%j', async (args, message) => {
    registry = { ...transports, mqtt: 'not to be reached' };
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(/^commlib: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('options of other brokers are not silently ignored', async () => {
    registry = transports;
    expect(await run(['--vhost', '/x', 'sub', 'a'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/virtual hosts/),
    });
    expect(await run(['--db', '3', 'sub', 'a'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--db is for redis/),
    });
  });

  test('no command: the help on stderr', async () => {
    const { code, stderr } = await run([]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Usage: commlib/);
  });
});

describe('help', () => {
  test.each([
    [['--help']],
    [['help', 'sub']],
    [['pub', '--help']],
    [['rpcc', '--help']],
    [['rpcs', '--help']],
  ])('%j has examples', async (args) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples?:\n +\$ commlib /);
  });

  test('--version', async () =>
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: /^\d+\.\d+\.\d+\n$/ }));
});

test.each([
  ['amqp', 'amqp://localhost:1'],
  ['redis', 'redis://localhost:1'],
  ['kafka', 'kafka://localhost:1'],
])('broker type %s: refused is told with its address', async (type, target) => {
  registry = transports;
  const { code, stderr } = await run(['--btype', type, '--port', '1', 'rpcc', 'a.b', '{}']);
  expect(stderr).toContain(target);
  expect(code).toBe(3);
});

test('at least once: what the group misses is there when it comes', async () => {
  const durable = ['--at-least-once', '--group', 'g', '--count', '1', 'orders'];
  const first = await start(['sub', ...durable], /subscribed to orders/);
  expect(await run(['pub', '--rate', '0', '--at-least-once', 'orders', '1'])).toMatchObject({ code: 0 });
  expect(await first.done).toBe(0);
  expect(await run(['pub', '--rate', '0', '--at-least-once', 'orders', '2'])).toMatchObject({ code: 0 });
  const { code, stdout } = await run(['sub', '--plain', ...durable]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'orders 2\n' });
});

describe('on a terminal sub shows topic and data, in a pipe JSON lines', () => {
  test.each([
    [{ isTerminal: true }, [], /^a\/b \{"n":1\}\n$/],
    [{ isTerminal: false }, [], /^\{"topic":"a\/b","ts":"[^"]+Z","data":\{"n":1\}\}\n$/],
    [{ isTerminal: true }, ['--json'], /^\{"topic":"a\/b"/],
    [{ isTerminal: false }, ['--plain'], /^a\/b \{"n":1\}\n$/],
  ])('%j %j', async (options, flags, expected) => {
    const { io, done } = await start(['sub', 'a.b', '--count', '1', ...flags], /subscribed to a\/b/, options);
    expect((await run(['pub', '--rate', '0', 'a/b', '{"n":1}'])).code).toBe(0);
    expect(await done).toBe(0);
    expect(io.stdout).toMatch(expected);
  });
});

describe('rpcc', () => {
  test('prints the answer of rpcs', async () => {
    const service = await start(['rpcs', 'a.b'], /serving a\/b/);
    expect(await run(['rpcc', 'a/b', '{"x":[1,-2,null]}'])).toEqual({
      code: 0,
      stdout: '{"x":[1,-2,null]}\n',
      stderr: '',
    });
    service.io.stop();
    expect(await service.done).toBe(0);
  });

  test.each([
    ['{"status":200,"msg":""}', 0],
    ['{"status":399}', 0],
    ['{"status":400,"msg":"no"}', 5],
    ['{"status":500}', 5],
    ['{"status":"400"}', 0],
    ['[400]', 0],
    ['null', 0],
  ])('an answer of %s ends with %i', async (reply, code) => {
    await start(['rpcs', 'a', '--reply', reply], /serving/);
    expect(await run(['rpcc', 'a', '{}'])).toMatchObject({ code, stdout: `${reply}\n` });
  });

  test('nobody there, and the broker says so: 4', async () => {
    const { code, stderr } = await run(['--timeout', '0.05', 'rpcc', 'a', '{}']);
    expect(stderr).toMatch(/nobody takes what is sent to a/);
    expect(code).toBe(4);
  });
});

test('told to stop before it was done: the code of the signal', async () => {
  const counting = await start(['sub', 'a', '--count', '2'], /subscribed/);
  counting.io.stop(143);
  expect(await counting.done).toBe(143);
});

test('a lost connection and its return are told, with --quiet nothing is', async () => {
  const open = await start(['sub', 'a'], /subscribed/);
  const quiet = await start(['sub', 'a', '--quiet'], /^$/);
  broker.kill();
  await expect.poll(() => open.io.stderr).toMatch(/connection lost: .*; reconnecting in \d+ ms/);
  broker.restore();
  await expect.poll(() => open.io.stderr).toMatch(/connected again after/);
  expect(quiet.io.stderr).toBe('');
});
