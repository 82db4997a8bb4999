/** A broker that allows a user only what lies under `hbot/`: commands, streams and answers all fit in there. */
import { anything, Node, rpc } from '@commlib/core';
import { HbotClient, SimulatedBot } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../brokers/index.js';
import { run } from '../cli/tool.js';
import { reports } from './malformed/bot.js';
import { everythingWorks } from './session.js';

const users = { controller: 'open sesame', bot: 'shut sesame' };
const asController = { username: 'controller', password: users.controller };
const asBot = { username: 'bot', password: users.bot };

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      const acl = ['user controller', 'topic readwrite hbot/#', 'user bot', 'topic readwrite hbot/#'];
      broker = await startMosquitto({ users, acl });
    });
    afterAll(() => broker?.stop());

    test.each([5, 4] as const)('all commands and streams, MQTT version %i', async (version) => {
      await everythingWorks({
        url: broker.url,
        bot: { ...asBot, version },
        controller: { ...asController, version },
      });
    });

    test('all commands and streams of the other simulated releases', async () => {
      for (const profile of ['2.13', '2.18'] as const)
        await everythingWorks({ url: broker.url, bot: asBot, controller: asController, profile });
    });

    describe.each([5, 4] as const)('what is not allowed, MQTT version %i', (version) => {
      test('answers outside of the allowed topics never come: an error that says what may be behind it', async () => {
        const events: Parameters<typeof reports>[0][number][] = [];
        const node = new Node({
          transport: mqtt(broker.url, { ...asBot, version }),
          onEvent: (event) => events.push(event),
        });
        await using _bot = await SimulatedBot.start({ id: 'testbot', node: await node.start() });
        await using client = await HbotClient.open(mqtt(broker.url, { ...asController, version }), {
          id: 'testbot',
          inboxPrefix: 'elsewhere',
        });
        await expect(client.status({}, { timeoutMs: 500 })).rejects.toMatchObject({
          code: 'NO_REPLY',
          possibleReasons: expect.arrayContaining([
            expect.stringMatching(/reply topic under the inbox prefix|does not let this client/),
          ]),
        });
        // MQTT 5 tells the bot that its answer was refused; it says so once.
        if (version === 5) {
          await until(() => reports(events).length > 0, { what: 'the refusal' });
          expect(reports(events)).toEqual(['handler-error hbot/testbot/status NOT_AUTHORIZED']);
        } else expect(reports(events)).toEqual([]);
        await node.close();
      });

      test('a request outside of them: MQTT 5 says so at once, 3.1.1 never does', async () => {
        await using node = new Node({
          transport: mqtt(broker.url, { ...asController, version }),
          inboxPrefix: 'hbot',
        });
        await node.start();
        const caller = node.client(rpc('other.service', { request: anything, response: anything }));
        await expect(caller.call({}, { timeoutMs: version === 5 ? 20_000 : 300 })).rejects.toMatchObject({
          code: version === 5 ? 'NOT_AUTHORIZED' : 'TIMEOUT',
        });
      });
    });

    test('on the command line', async () => {
      await using _bot = await SimulatedBot.start({
        id: 'testbot',
        transport: () => mqtt(broker.url, asBot),
        heartbeatMs: 500,
      });
      const env = { HBOTCTL_USERNAME: 'controller', HBOTCTL_PASSWORD: users.controller };
      const good = await run('hbotctl', ['status', 'testbot', '-b', broker.url], { env });
      expect(good).toMatchObject({ code: 0 });
      const elsewhere = [
        'history',
        'testbot',
        '-b',
        broker.url,
        '--inbox-prefix',
        'elsewhere',
        '--timeout',
        '1',
      ];
      const none = await run('hbotctl', elsewhere, { env });
      expect(none).toMatchObject({ code: 4, stdout: '' });
      expect(none.stderr).toMatch(/no reply from bot testbot to history/);
      for (const { stderr, stdout } of [good, none]) expect(stdout + stderr).not.toContain(users.controller);
    });
  },
  { own: true },
);
