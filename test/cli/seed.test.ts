/** Every command line of the protocol's first description, as printed there, against a simulated bot. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto } from '../brokers/index.js';
import { type Running, shell, simulate } from './tool.js';

/** Only the port is another one, and the missing quote of `balance/limit` is supplied. `None` is `null`. */
const calls: readonly (readonly [line: string, reply: unknown])[] = [
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/start' '{}'`,
    { status: 200, msg: '' },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/stop' '{}'`,
    { status: 200, msg: '' },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/config' '{"params": []}'`,
    { changes: [], status: 200, msg: '' },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/config' '{"params": [["mqtt_bridge.mqtt_autostart", 1]]}'`,
    { changes: [['mqtt_bridge.mqtt_autostart', 1]], status: 200, msg: '' },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/config' '{"params": [["mqtt_bridge.mqtt_autostart", 1], ["mqtt_bridge.mqtt_ssl", 1]]}'`,
    {
      changes: [
        ['mqtt_bridge.mqtt_autostart', 1],
        ['mqtt_bridge.mqtt_ssl', 1],
      ],
      status: 200,
      msg: '',
    },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/import' '{"strategy": "conf_liquidity_mining_1"}'`,
    { status: 200, msg: '' },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/history' '{}'`,
    { status: 200, msg: '', trades: [] },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/balance/limit' '{"exchange": "kucoin", "asset": "USDT", "amount": 100}'`,
    { status: 200, msg: '', data: null },
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt rpcc 'hbot/testbot/balance/paper' '{"asset": "USDT", "amount": 100}'`,
    { status: 200, msg: '', data: null },
  ],
];

const listens: readonly (readonly [line: string, fields: readonly string[]])[] = [
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt sub 'hbot/testbot/log'`,
    ['level_name', 'level_no', 'logger_name', 'msg', 'timestamp'],
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt sub 'hbot/testbot/events'`,
    ['data', 'timestamp', 'type'],
  ],
  [
    `commlib-cli --host localhost --port 1883 --btype mqtt sub 'hbot/testbot/notify'`,
    ['msg', 'seq', 'timestamp'],
  ],
  [`commlib-cli --host localhost --port 1883 --btype mqtt sub 'hbot/testbot/hb'`, ['ts']],
];

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let bot: Running;
    const here = (line: string) => line.replace('--port 1883', `--port ${broker.port}`);

    beforeAll(async () => {
      broker = await startMosquitto({ own: true });
      bot = await simulate(broker.url);
    });
    afterAll(async () => {
      await bot?.end();
      await broker?.stop();
    });

    test.each(calls)('%s', async (line, reply) => {
      const { code, stdout, stderr } = await shell(here(line)).finished;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^\{.*\}\n$/);
      expect(JSON.parse(stdout)).toEqual(reply);
    });

    test.each(listens)('%s', async (line, fields) => {
      // The shell hands over to the tool, so that the signal reaches it.
      const listener = shell(`exec ${here(line)}`);
      await listener.shows(/subscribed to/);
      // After the stop above the strategy rests; starting it makes it speak on every stream.
      await shell(here(`commlib-cli --host localhost --port 1883 rpcc 'hbot/testbot/start' '{}'`)).finished;
      await listener.shows(/\n.*\{/);
      const [message] = listener.lines().map((text): unknown => JSON.parse(text));
      const topic = /'(hbot[^']+)'/.exec(line)?.[1];
      expect(message).toMatchObject({
        topic,
        ts: expect.stringMatching(/^\d{4}-.*Z$/),
        data: expect.anything(),
      });
      expect(Object.keys((message as { data: object }).data).sort()).toEqual(fields);
      expect((await listener.end()).code).toBe(0);
    });
  },
  { own: true },
);
