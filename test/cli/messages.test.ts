/** `commlib pub`, `sub`, `rpcs` and `rpcc` with each other on a real broker. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../brokers/index.js';
import { type Finished, folder, run, shell, start } from './tool.js';

interface Line {
  readonly topic: string;
  readonly ts: string;
  readonly data: unknown;
}
const parse = (lines: readonly string[]) => lines.map((line): Line => JSON.parse(line));

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let env: { COMMLIB_BROKER: string };
    let client: MqttClient;
    beforeAll(async () => {
      broker = await startMosquitto({ own: true });
      env = { COMMLIB_BROKER: broker.url };
      client = connect(broker.url);
    });
    afterAll(async () => {
      await client?.endAsync();
      await broker?.stop();
    });

    test('pub --rate 0 never loses its one message', { timeout: 120_000 }, async () => {
      const listener = start('commlib', ['sub', 'once/+', '--count', '10'], { env });
      await listener.shows(/subscribed/);
      const ends: Finished[] = [];
      for (let batch = 0; batch < 5; batch++) {
        const pair = [0, 1].map((i) =>
          run('commlib', ['pub', '--rate', '0', `once/${batch * 2 + i}`, `{"n": ${batch * 2 + i}}`], { env }),
        );
        ends.push(...(await Promise.all(pair)));
      }
      expect(ends.map(({ code }) => code)).toEqual(Array(10).fill(0));
      const { code, stdout } = await listener.finished;
      expect(code).toBe(0);
      const received = parse(stdout.trim().split('\n'));
      expect(received.map(({ topic }) => topic).sort()).toEqual(
        Array.from({ length: 10 }, (_, n) => `once/${n}`).sort(),
      );
      for (const { topic, data } of received) expect(data).toEqual({ n: Number(topic.split('/')[1]) });
    });

    test('pub goes on at its rate until it is told to stop; --count ends it', async () => {
      const listener = start('commlib', ['sub', 'tick'], { env });
      await listener.shows(/subscribed/);
      const ticking = start('commlib', ['pub', '--rate', '50', 'tick', '[1]'], { env });
      await until(() => listener.lines().length >= 5, { what: 'five messages' });
      expect((await ticking.end()).code).toBe(0);
      const counted = await run('commlib', ['pub', '--rate', '100', '--count', '3', 'tock', '1'], { env });
      expect(counted.code).toBe(0);
      expect((await listener.end()).code).toBe(0);
    });

    test('pub, sub and rpcs outlive an outage of the broker', { timeout: 120_000 }, async () => {
      const own = await startMosquitto({ own: true });
      const there = { env: { COMMLIB_BROKER: own.url } };
      const tools = [
        start('commlib', ['sub', 'tick'], there),
        start('commlib', ['pub', '--rate', '20', 'tick', '1'], there),
        start('commlib', ['rpcs', 'echo'], there),
      ];
      const [listener, , server] = tools;
      try {
        // Each must be there before the broker goes: a first connection that fails is an error, not an outage.
        await until(() => (listener?.lines().length ?? 0) > 0, { what: 'a first message' });
        await server?.shows(/serving/);
        await own.kill9();
        for (const tool of tools) await tool.shows(/connection lost/);
        await own.restart();
        for (const tool of tools) await tool.shows(/connected again/, 30_000);
        const before = listener?.lines().length ?? 0;
        await until(() => (listener?.lines().length ?? 0) > before + 3, {
          what: 'messages after the outage',
        });
        const { stdout } = await run('commlib', ['rpcc', 'echo', '[1]'], there);
        expect(stdout).toBe('[1]\n');
        for (const tool of tools) expect((await tool.end()).code).toBe(0);
      } finally {
        for (const tool of tools) await tool.end('SIGKILL');
        await own.stop();
      }
    });

    test.each([
      ['wild.+.end', ['wild/one/end', 'wild/two/end']],
      ['wild/#', ['wild/one/end', 'wild/one/more/x', 'wild/two/end']],
      ['wild.*', ['wild/one/end', 'wild/one/more/x', 'wild/two/end']],
      ['wild.*.end', ['wild/one/end', 'wild/two/end']],
    ])('sub %s', async (pattern, topics) => {
      const listener = start('commlib', ['sub', pattern, '--count', String(topics.length)], { env });
      await listener.shows(/subscribed/);
      for (const topic of ['wild/one/end', 'wild/two/end', 'wild/one/more/x', 'tame/end'])
        await client.publishAsync(topic, '0', { qos: 1 });
      const { stdout } = await listener.finished;
      expect(
        parse(stdout.trim().split('\n'))
          .map(({ topic }) => topic)
          .sort(),
      ).toEqual(topics);
    });

    test('--literal keeps dots; --retain is seen by later subscribers; text is shown with --plain', async () => {
      await run(
        'commlib',
        ['pub', '--rate', '0', '--literal', '--retain', 'lit/a.b', '{"x": "\\u001b[31m"}'],
        { env },
      );
      const { stdout, code } = await run(
        'commlib',
        ['sub', '--plain', '--literal', 'lit/a.b', '--count', '1'],
        { env },
      );
      expect(code).toBe(0);
      expect(stdout).toBe('lit/a.b (retained) {"x":"\\u001b[31m"}\n');
    });

    test('rpcs gives back what rpcc sent, exactly', async () => {
      const service = start('commlib', ['rpcs', 'math.echo'], { env });
      await service.shows(/serving math\/echo/);
      const data = '{"minus":-5,"big":12345678901234567890,"text":"ä/\\"\\n","list":[1.5,null,true]}';
      const { stdout, code } = await run('commlib', ['rpcc', 'math/echo', data], { env });
      expect(code).toBe(0);
      expect(stdout).toBe(`${data}\n`);
      const pretty = await run('commlib', ['rpcc', 'math/echo', '{"a":1}', '--pretty'], { env });
      expect(pretty.stdout).toBe('{\n  "a": 1\n}\n');
      expect(service.lines()[0]).toContain('12345678901234567890');
      expect((await service.end()).code).toBe(0);
    });

    test('what cannot be JSON becomes null, so that every reader can read on', async () => {
      const listener = start('commlib', ['sub', 'nan', '--count', '1'], { env });
      await listener.shows(/subscribed/);
      await run('commlib', ['pub', '--rate', '0', 'nan', '{"price": NaN, "max": Infinity}'], { env });
      const { stdout } = await listener.finished;
      expect(JSON.parse(stdout).data).toEqual({ price: null, max: null });
    });

    test('a message that is not JSON is reported, the next one is shown', async () => {
      const listener = start('commlib', ['sub', 'mixed'], { env });
      await listener.shows(/subscribed/);
      await client.publishAsync('mixed', '{oops', { qos: 1 });
      await client.publishAsync('mixed', '{"fine":1}', { qos: 1 });
      await until(() => listener.lines().length === 1, { what: 'the good message' });
      expect(listener.stderr()).toMatch(/a message on mixed was dropped: not JSON/);
      await listener.end();
    });

    test('the reader of a pipe may go away: no error, and the tool ends', async () => {
      const ticking = start('commlib', ['pub', '--rate', '50', 'pipe', '{"n":1}'], { env });
      await ticking.shows(/published/);
      const line = '{ commlib sub --quiet pipe; echo "code $?" >&2; } | head -n 2';
      const { stdout, stderr, code } = await shell(line, { env }).finished;
      expect(code).toBe(0);
      expect(parse(stdout.trim().split('\n'))).toHaveLength(2);
      expect(stderr).toBe('code 0\n');
      await ticking.end();
    });

    test('flags go before variables, variables before the file; a URL and its password stay together', async () => {
      const cwd = folder();
      const { hostname, port } = new URL(broker.url);
      const file = (content: object) => writeFileSync(join(cwd, 'commlib.json'), JSON.stringify(content));
      const publish = (args: readonly string[], more: Record<string, string> = {}) =>
        run('commlib', [...args, 'pub', '--rate', '0', 'x', '1'], { cwd, env: more });
      file({ broker: broker.url });
      expect((await publish([])).code).toBe(0);
      expect((await publish([], { COMMLIB_BROKER: 'mqtt://localhost:1' })).code).toBe(3);
      expect(
        (await publish(['-h', hostname, '-p', port], { COMMLIB_BROKER: 'mqtt://localhost:1' })).code,
      ).toBe(0);
      expect((await publish([], { COMMLIB_CONFIG: join(cwd, 'commlib.json') })).code).toBe(0);
    });

    test('NO_COLOR and pipes: no escape sequence anywhere', async () => {
      const help = await run('commlib', ['--help']);
      const failed = await run('commlib', ['-p', '1', 'sub', 'x']);
      const forced = await run('commlib', ['-p', '1', 'sub', 'x'], { env: { FORCE_COLOR: '1' } });
      const refused = await run('commlib', ['-p', '1', 'sub', 'x'], {
        env: { FORCE_COLOR: '1', NO_COLOR: '1' },
      });
      expect(help.stdout + failed.stderr + refused.stderr).not.toContain('\u001b');
      expect(forced.stderr).toContain('\u001b[31m');
    });
  },
  { own: true },
);
