/** `hbotctl` as an operator uses it: simulated bots of each release, on a real broker. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type MqttBroker, makeCertificates, startMosquitto, until } from '../brokers/index.js';
import { type Running, run, simulate, start } from './tool.js';

/** Many processes, one after the other. */
const LONG_MS = 120_000;

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let bot: Running;
    let env: { HBOTCTL_BROKER: string };
    const hbotctl = (...args: string[]) => run('hbotctl', args, { env });

    beforeAll(async () => {
      broker = await startMosquitto({ own: true });
      env = { HBOTCTL_BROKER: broker.url };
      bot = await simulate(broker.url);
    });
    afterAll(async () => {
      await bot?.end();
      await broker?.stop();
    });

    test('discover finds it', async () => {
      const { code, stdout } = await hbotctl('discover', '--count', '1', '--json');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ id: 'testbot', namespace: 'hbot', online: true });
    });

    test('every command, for people and for programs', { timeout: LONG_MS }, async () => {
      const told: [string[], RegExp, object][] = [
        [['config', 'testbot'], /^$/, { status: 200, changes: [] }],
        [
          ['config', 'testbot', 'mqtt_bridge.mqtt_autostart', '1', 'instance_id', 'other name'],
          /accepted mqtt_bridge.mqtt_autostart = 1\naccepted instance_id = "other name"/,
          {
            status: 200,
            changes: [
              ['mqtt_bridge.mqtt_autostart', 1],
              ['instance_id', 'other name'],
            ],
          },
        ],
        [
          ['balance', 'limit', 'testbot', 'kucoin', 'USDT', '100'],
          /at most 100 USDT at kucoin/,
          { status: 200, data: null },
        ],
        [
          ['balance', 'limit', 'testbot', 'kucoin', 'USDT', '-1'],
          /no limit on USDT/,
          { status: 200, data: null },
        ],
        [['balance', 'paper', 'testbot', 'USDT', '1000'], /1000 USDT on paper/, { status: 200, data: null }],
        [['import', 'testbot', 'conf_x'], /testbot imported conf_x/, { status: 200, msg: '' }],
        [['start', 'testbot'], /testbot accepted start/, { status: 200, msg: '' }],
        [['status', 'testbot'], /Strategy: conf_x/, { status: 200, msg: expect.stringContaining('conf_x') }],
        [
          ['history', 'testbot', '--days', '1'],
          /symbol|no trades/,
          { status: 200, trades: expect.any(Array) },
        ],
        [['stop', 'testbot'], /testbot stopped/, { status: 200, msg: '' }],
      ];
      for (const [args, text, reply] of told) {
        const human = await hbotctl(...args);
        expect(human.stdout, args.join(' ')).toMatch(text);
        expect(human.code, human.stderr).toBe(0);
        if (args[0] === 'start') await hbotctl('stop', 'testbot'); // A running bot refuses a second start.
        const json = await hbotctl(...args, '--json');
        expect(json.stdout.split('\n')).toHaveLength(2);
        expect(JSON.parse(json.stdout), args.join(' ')).toMatchObject(reply);
        expect(json.code).toBe(0);
      }
    });

    test('a refusal is shown with its reason, and ends with 5', async () => {
      const refused = await hbotctl('config', 'testbot', 'no_such_key', '1', 'tick_size', '2');
      expect(refused.code).toBe(5);
      expect(refused.stdout).toBe('accepted tick_size = 2\n');
      expect(refused.stderr).toMatch(
        /^hbotctl: config refused by bot testbot \(400\): Invalid param key\(s\): \['no_such_key'\]\n$/,
      );
      const json = await hbotctl('config', 'testbot', 'no_such_key', '1', '--json');
      expect(JSON.parse(json.stdout)).toMatchObject({ status: 400, changes: [] });
      expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'COMMAND_REFUSED' } });
      expect(json.code).toBe(5);
    });

    test('--dry-run sends nothing, and needs no broker', async () => {
      const before = bot.lines().length;
      const { code, stdout } = await run('hbotctl', [
        'stop',
        'testbot',
        '--dry-run',
        '-b',
        'mqtt://localhost:1',
      ]);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: 'would send to hbot/testbot/stop at mqtt://localhost:1:\n{"async_backend":false}\n',
      });
      const json = await hbotctl(
        'balance',
        'paper',
        'testbot',
        'USDT',
        '5',
        '--dry-run',
        '--json',
        '-n',
        'desk',
      );
      expect(JSON.parse(json.stdout)).toEqual({
        dryRun: true,
        topic: 'desk/testbot/balance/paper',
        data: { asset: 'USDT', amount: 5 },
      });
      expect(bot.lines().slice(before).join()).not.toContain('/stop');
    });

    test('watch shows every stream, as text and as JSON lines', { timeout: LONG_MS }, async () => {
      const text = start('hbotctl', ['watch', 'testbot'], { env });
      const json = start('hbotctl', ['watch', 'testbot', '--json'], { env });
      const some = start('hbotctl', ['watch', 'testbot', '--only', 'log', '--json', '--count', '2'], { env });
      await Promise.all([text, json, some].map((view) => view.shows(/watching testbot/)));
      await hbotctl('start', 'testbot');
      const streams = ['hb', 'events', 'notify', 'log', 'performance'];
      for (const stream of streams) {
        await text.shows(new RegExp(`^\\d\\d:\\d\\d:\\d\\d ${stream} +\\S`, 'm'));
        await json.shows(new RegExp(`^\\{"stream":"${stream}","ts":"[^"]+","bot":"testbot","data":\\{`, 'm'));
      }
      for (const line of json.lines()) expect(JSON.parse(line)).toHaveProperty('stream');
      expect((await some.finished).code).toBe(0);
      expect(some.lines().map((line) => JSON.parse(line).stream)).toEqual(['log', 'log']);
      expect((await text.end('SIGINT')).code).toBe(0);
      expect((await json.end('SIGTERM')).code).toBe(0);
      await hbotctl('stop', 'testbot');
    });

    test.each(['2.13', '2.18'])(
      'a headless %s: what it can do is done, the rest is refused with the reason',
      async (profile) => {
        const other = start(
          'hbotctl',
          ['simulate', `bot.${profile}`, '--profile', profile, '--heartbeat', '0.5', '--running'],
          { env },
        );
        await other.shows(/is simulated/);
        try {
          const id = `bot.${profile}`;
          const status = await hbotctl('status', id);
          expect(status.stderr).toMatch(/status refused by bot .*cannot do it over MQTT/);
          expect(status.code).toBe(5);
          expect((await hbotctl('stop', id)).code).toBe(0);
          const found = await hbotctl(
            'discover',
            '--deep',
            '--json',
            '--timeout',
            '20',
            '--count',
            '2',
            '--namespace',
            'hbot',
          );
          const ids = found.stdout
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line));
          expect(ids).toContainEqual(
            expect.objectContaining({ id, dialect: profile === '2.13' ? 'commlib' : 'aiomqtt' }),
          );
        } finally {
          expect((await other.end('SIGTERM')).code).toBe(0);
        }
      },
      90_000,
    );

    test('simulate shows the commands it executes, and says offline when it ends', async () => {
      const listener = start('commlib', ['sub', 'hbot/brief/status_updates', '-b', broker.url]);
      await listener.shows(/subscribed/);
      const brief = start('hbotctl', ['simulate', 'brief', '--json'], { env });
      await brief.shows(/"bot":"brief"/);
      await hbotctl('import', 'brief', 'conf_y');
      await until(() => brief.lines().some((line) => JSON.parse(line).topic === 'hbot/brief/import'), {
        what: 'the command',
      });
      expect((await brief.end()).code).toBe(0);
      await until(() => listener.lines().length === 2, { what: 'online and offline' });
      expect(listener.lines().map((line) => JSON.parse(line).data.msg)).toEqual(['online', 'offline']);
      await listener.end();
    });

    test('kill -9 of the broker under watch: it says so, reconnects by itself, and the stream goes on', {
      timeout: LONG_MS,
    }, async () => {
      const own = await startMosquitto({ own: true });
      const simulated = await simulate(own.url);
      const view = start('hbotctl', ['watch', 'testbot', '-b', own.url, '--only', 'hb']);
      try {
        await view.shows(/ hb +alive/);
        await own.kill9();
        await view.shows(/connection +connection lost: .*; reconnecting in \d+ ms/);
        await own.restart();
        await view.shows(/connection +connected again after [\d.]+ s/);
        const seen = view.lines().filter((line) => / hb /.test(line)).length;
        await until(() => view.lines().filter((line) => / hb /.test(line)).length > seen, {
          what: 'a heartbeat after the outage',
          timeoutMs: 20_000,
        });
        expect((await view.end()).code).toBe(0);
        expect((await simulated.end()).code).toBe(0);
      } finally {
        await view.end('SIGKILL');
        await simulated.end('SIGKILL');
        await own.stop();
      }
    });

    test('over mqtts with a private CA and an ACL that allows hbot/# only', {
      timeout: LONG_MS,
    }, async () => {
      const certificates = await makeCertificates();
      const own = await startMosquitto({
        tls: certificates.server,
        users: { controller: 'open sesame', bot: 'aladdin' },
        acl: ['user controller', 'topic readwrite hbot/#', 'user bot', 'topic readwrite hbot/#'],
      });
      const access = (user: string, password: string) => ({
        HBOTCTL_BROKER: own.url,
        HBOTCTL_CA: certificates.files.ca,
        HBOTCTL_USERNAME: user,
        HBOTCTL_PASSWORD: password,
      });
      const simulated = start('hbotctl', ['simulate', 'testbot', '--heartbeat', '1'], {
        env: access('bot', 'aladdin'),
      });
      try {
        await simulated.shows(/is simulated/);
        const secure = access('controller', 'open sesame');
        const view = start('hbotctl', ['watch', 'testbot'], { env: secure });
        await view.shows(/watching/);
        for (const args of [
          ['discover', '--count', '1'],
          ['config', 'testbot'],
          ['balance', 'limit', 'testbot', 'kucoin', 'USDT', '100'],
          ['balance', 'paper', 'testbot', 'USDT', '100'],
          ['import', 'testbot', 'conf_x'],
          ['start', 'testbot'],
          ['status', 'testbot'],
          ['history', 'testbot'],
          ['stop', 'testbot'],
        ]) {
          const { code, stderr } = await run('hbotctl', args, { env: secure });
          expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
        }
        for (const stream of ['hb', 'events', 'notify', 'log'])
          await view.shows(new RegExp(` ${stream} +\\S`));
        expect((await view.end()).code).toBe(0);
      } finally {
        await simulated.end('SIGKILL');
        await own.stop();
        await certificates.dispose();
      }
    });
  },
  { own: true },
);

test('broker: a port that is taken is said to be; a free one is taken and told', async () => {
  const broker = start('hbotctl', ['broker', '--port', '0', '--ws', '0', '--json']);
  await broker.shows(/\n/);
  await until(() => broker.lines().length === 1, { what: 'the URL' });
  const { url, wsUrl }: { url: string; wsUrl: string } = JSON.parse(broker.lines()[0] ?? '');
  const taken = await run('hbotctl', ['broker', '--port', new URL(url).port]);
  expect(taken).toMatchObject({ code: 2, stderr: expect.stringMatching(/is taken/) });
  const service = start('commlib', ['-b', wsUrl, 'rpcs', 'over/ws']);
  await service.shows(/serving/);
  const { stdout } = await run('commlib', ['-b', url, 'rpcc', 'over/ws', '{"tcp":1}']);
  expect(stdout).toBe('{"tcp":1}\n');
  expect((await service.end()).code).toBe(0);
  expect((await broker.end('SIGTERM')).code).toBe(0);
});
