/** `npm start`, without its installing and building: on the embedded broker, on Mosquitto, on RabbitMQ. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type MqttBroker, sharedRabbitmq, startMosquitto } from '../brokers/index.js';
import { type Finished, run, simulate, start } from './tool.js';

const commands = ['start', 'stop', 'import', 'config', 'balance limit', 'balance paper', 'history', 'status'];

function expectSummary({ code, stdout, stderr }: Finished): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const summary = stdout.slice(stdout.indexOf('Commands and replies'));
  for (const command of commands) expect(summary).toMatch(new RegExp(`✓ +${command} .*"status":200`));
  for (const stream of ['heartbeats', 'events', 'notifications', 'log lines'])
    expect(summary).toMatch(new RegExp(`✓ +${stream} +[1-9]\\d* received`));
  expect(summary).not.toContain('✗');
}

test('--once without any broker: every command answered, every stream heard, exit code 0', async () => {
  expectSummary(await run('main-job', ['--once']));
});

test('--once --json: the summary is a record', async () => {
  const { code, stdout } = await run('main-job', ['--once', '--json']);
  expect(code).toBe(0);
  const records = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(records.at(-1)).toMatchObject({ stream: 'summary', good: true, commands: expect.any(Array) });
});

test('without --once it streams on until Ctrl-C, and ends in good order', async () => {
  const job = start('main-job', []);
  await job.shows(/command +stop/);
  await job.shows(/command +start \(again\)[\s\S]* events +OrderFilled/);
  // Once from the terminal, once from npm, which passes it on.
  job.process.kill('SIGINT');
  const { code, stdout } = await job.end('SIGINT');
  expect(code).toBe(0);
  expect(stdout).toMatch(/Everything worked\.\n$/);
});

test('a broker that is not there: 3, and where', async () => {
  const { code, stderr } = await run('main-job', ['--once', '--broker', 'mqtt://localhost:1']);
  expect({ code, stderr }).toEqual({
    code: 3,
    stderr: expect.stringMatching(/^npm start: mqtt:\/\/localhost:1: nobody listens/),
  });
});

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({ own: true });
    });
    afterAll(() => broker?.stop());

    test('--once on Mosquitto', async () => {
      expectSummary(await run('main-job', ['--once', '--broker', broker.url]));
    });

    test('no command is sent to a bot of the same id that is there already', async () => {
      const other = await simulate(broker.url);
      const { code, stderr } = await run('main-job', ['--once', '--broker', broker.url]);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringMatching(/there is a bot testbot .* --bot/),
      });
      expect(other.stdout()).not.toMatch(/hbot\/testbot\/st(art|op)/);
      expectSummary(await run('main-job', ['--once', '--broker', broker.url, '--bot', 'another']));
      await other.end();
    });
  },
  { own: true },
);

describeOn('rabbitmq', () => {
  test('--once on RabbitMQ’s MQTT plugin', { timeout: 120_000 }, async () => {
    const { mqttUrl } = await sharedRabbitmq();
    expectSummary(await run('main-job', ['--once', '--broker', mqttUrl]));
  });
});
