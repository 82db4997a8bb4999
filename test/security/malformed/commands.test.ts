/** Whatever is sent to a bot's commands: nothing runs that should not, nothing runs twice, each is reported once. */
import { HbotClient } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../../brokers/index.js';
import { Attacker } from './attacker.js';
import {
  allCommands,
  type CountingBot,
  goodData,
  numericField,
  reports,
  startCountingBot,
  strictField,
} from './bot.js';
import { badRequests, bytes, request, slowTexts, wrongData } from './samples.js';

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let attacker: Attacker;
    let bot: CountingBot;
    beforeEach(async () => {
      broker = await startMosquitto({ own: true });
      attacker = await Attacker.at(broker.url);
      bot = await startCountingBot(broker.url);
    });
    afterEach(async () => {
      await bot?.[Symbol.asyncDispose]();
      await attacker?.[Symbol.asyncDispose]();
      await broker?.stop();
    });

    /** Every command is answered, and has run once more. */
    async function allCommandsWork() {
      bot.ran.length = 0;
      await using client = await HbotClient.open(mqtt(broker.url), { id: 'b', timeoutMs: 10_000 });
      for (const command of allCommands) {
        const reply = await client.request(command, JSON.parse(goodData[command]));
        expect(reply, command).toMatchObject({ status: 200 });
      }
      expect(bot.ran).toEqual(allCommands);
    }

    describe.each(allCommands)('%s', (command) => {
      const topic = `hbot/b/${command}`;

      test('bad requests are reported once each, and not executed', async () => {
        const expected: string[] = [];
        for (const { payload, code } of badRequests(goodData[command])) {
          await attacker.send(topic, payload);
          expected.push(`dropped ${topic} ${code}`);
          expect(await bot.reported(expected.length)).toEqual(expected);
        }
        expect(bot.ran).toEqual([]);
        await allCommandsWork();
        expect(reports(bot.events)).toEqual(expected);
        expect(bot.events.filter((event) => event.type === 'status').at(-1)).toMatchObject({
          status: { state: 'ready', reconnects: 0 },
        });
        expect(bot.errors).toEqual([]);
        expect(Reflect.get({}, 'polluted')).toBeUndefined();
      });

      test('wrong data is answered with an error, reported once, and not executed', async () => {
        const expected: string[] = [];
        const inField = ['NaN', 'Infinity', '{}', '[[1]]'].map((value) =>
          goodData[command].replace(/}$/, `,"${strictField[command]}":${value}}`),
        );
        const slow = slowTexts.map((text) =>
          goodData[command].replace(/}$/, `,"${numericField[command]}":"${text}"}`),
        );
        // Where no field is a number, a long text is as good as any.
        const all = [...wrongData, ...inField, ...(numericField[command] ? slow : [])];
        for (const [i, data] of all.entries()) {
          const replyTo = `hbot/evil/${command}/${i}`;
          await attacker.send(topic, bytes(request(replyTo, data)));
          expected.push(`dropped ${topic} INVALID_DATA`);
          expect(await bot.reported(expected.length)).toEqual(expected);
          const answer = await until(() => attacker.on(replyTo)[0], {
            what: `the answer to ${data.slice(0, 40)}`,
          });
          expect(JSON.parse(answer.payload)).toMatchObject({
            header: { error: { code: 'INVALID_DATA' } },
            data: null,
          });
        }
        // A request without data at all.
        await attacker.send(topic, bytes('{"header":{"reply_to":"hbot/evil/none"}}'));
        expected.push(`dropped ${topic} MALFORMED`);
        expect(await bot.reported(expected.length)).toEqual(expected);
        await until(() => attacker.on('hbot/evil/none').length > 0, { what: 'the answer' });
        expect(bot.ran).toEqual([]);
        await allCommandsWork();
        expect(reports(bot.events)).toEqual(expected);
      });

      test('a repeated request runs once, whatever its quality of service', async () => {
        for (const qos of [0, 1, 2] as const) {
          const again = bytes(request(`hbot/evil/again/${qos}`, goodData[command]));
          for (const dup of [false, true, false])
            await attacker.send(topic, again, { qos, dup: qos > 0 && dup });
        }
        expect(await bot.reported(6)).toEqual(Array(6).fill(`dropped ${topic} REPEATED_REQUEST`));
        expect(bot.ran).toEqual([command, command, command]);
        // Also by another connection, and with another spelling of the same message.
        await using other = await Attacker.at(broker.url);
        await other.send(topic, bytes(`  ${request('hbot/evil/again/0', goodData[command])}\n`));
        expect(await bot.reported(7)).toHaveLength(7);
        await allCommandsWork();
        expect(reports(bot.events)).toHaveLength(7);
      });
    });

    test('reply addresses and correlation of MQTT 5: hostile ones are refused, others answered', async () => {
      const topic = 'hbot/b/status';
      const plain = bytes('{"header":{},"data":{}}');
      const correlationData = Buffer.from([0, 0xff, 0xfe, 0x80, 0x31]);
      const answered = async (responseTopic: string, correlation: Buffer | undefined) => {
        const before = attacker.on(responseTopic).length;
        const properties = { responseTopic, ...(correlation && { correlationData: correlation }) };
        await attacker.send(topic, plain, { properties });
        return until(() => attacker.on(responseTopic)[before], { what: `the answer on ${responseTopic}` });
      };
      expect(await answered('hbot/evil/five', correlationData)).toMatchObject({ correlationData });
      // One address for many calls is right here, as long as their correlation differs.
      expect(await answered('hbot/evil/five', Buffer.from('2'))).toMatchObject({
        correlationData: Buffer.from('2'),
      });
      expect(await answered('hbot/evil/none', undefined)).toMatchObject({ correlationData: undefined });
      expect(bot.ran).toEqual(['status', 'status', 'status']);
      const again = (responseTopic: string, correlation = correlationData) =>
        attacker.send(topic, plain, { properties: { responseTopic, correlationData: correlation } });
      await again('hbot/evil/five');
      await again('hbot/evil/five', Buffer.from('2'));
      await attacker.send(topic, plain, { properties: { responseTopic: 'hbot/evil/none' } });
      expect(await bot.reported(3)).toEqual(Array(3).fill(`dropped ${topic} REPEATED_REQUEST`));
      await again('$SYS/broker/load');
      await again('a/'.repeat(150));
      expect((await bot.reported(5)).slice(3)).toEqual(Array(2).fill(`dropped ${topic} INVALID_NAME`));
      // The properties come before the envelope.
      const hostile = bytes(request('hbot/#', '{}'));
      await attacker.send(topic, hostile, { properties: { responseTopic: 'hbot/evil/properties' } });
      await until(() => attacker.on('hbot/evil/properties').length === 1, { what: 'the answer' });
      const strange = {
        userProperties: { __proto__: 'x', constructor: ['a', 'b'], '': '' },
        contentType: 'x',
      };
      await attacker.send(topic, bytes(request('hbot/evil/strange', '{}')), { properties: strange });
      await until(() => attacker.on('hbot/evil/strange').length === 1, { what: 'the answer' });
      await allCommandsWork();
      expect(reports(bot.events)).toHaveLength(5);
    });

    test('answers that would be requests again make no circle', async () => {
      const circle = (reply: string) => bytes(request(reply, goodData.status));
      // The answer to `status` goes to `start`, whose data it is not.
      await attacker.send('hbot/b/status', circle('hbot/b/start'));
      expect(await bot.reported(1)).toEqual(['dropped hbot/b/start NO_REPLY_ADDRESS']);
      await attacker.send('hbot/b/status', circle('hbot.b.status'));
      expect(await bot.reported(2)).toContain('dropped hbot/b/status NO_REPLY_ADDRESS');
      await attacker.send('hbot/b/status', circle('hbot/b/external/event/x'));
      await until(() => bot.ran.includes('event x'), { what: 'an answer that became an external event' });
      await allCommandsWork();
      expect(reports(bot.events)).toHaveLength(2);
    });
  },
  { own: true },
);

describeOn(
  'mosquitto',
  () => {
    test('commands that the broker has kept are reported once each time they come, and never run', async () => {
      await using broker = await startMosquitto({ persistence: true });
      await using attacker = await Attacker.at(broker.url);
      for (const command of allCommands) {
        const kept = bytes(request(`hbot/evil/kept/${command}`, goodData[command]));
        await attacker.send(`hbot/b/${command}`, kept, { retain: true, qos: 1 });
      }
      await using bot = await startCountingBot(broker.url);
      const expected = allCommands.map((command) => `dropped hbot/b/${command} RETAINED_REQUEST`).sort();
      expect((await bot.reported(8)).sort()).toEqual(expected);
      await broker.restart();
      expect((await bot.reported(16)).sort()).toEqual([...expected, ...expected].sort());
      expect(bot.ran).toEqual([]);
      await using client = await HbotClient.open(mqtt(broker.url), { id: 'b', timeoutMs: 10_000 });
      expect(await client.status()).toMatchObject({ status: 200 });
      expect(bot.ran).toEqual(['status']);
      expect(reports(bot.events)).toHaveLength(16);
    }, 90_000);
  },
  { own: true },
);
