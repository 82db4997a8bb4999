/** Whatever is published on a bot's streams, or as external events: reported once, and what is good arrives. */
import { Node, type NodeEvent } from '@commlib/core';
import { HbotClient, type streams } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../../brokers/index.js';
import { Attacker } from './attacker.js';
import { type CountingBot, reports, startCountingBot } from './bot.js';
import { bytes, noObject, type Sample, slowTexts, unreadable, withProto } from './samples.js';

type Stream = keyof typeof streams;

/** A good message of each stream. */
const goodMessages: Readonly<Record<Stream, string>> = {
  hb: '{"ts":1700000000500000}',
  events: '{"timestamp":1700000000,"type":"OrderExpired","data":{"order_id":"a"}}',
  notify: '{"seq":0,"timestamp":"-1","msg":"good"}',
  log: '{"timestamp":1700000000.5,"msg":"good","level_no":20,"level_name":"INFO","logger_name":"x"}',
  status_updates: '{"timestamp":1700000000000,"type":"availability","msg":"online"}',
  performance: '{"good":{}}',
};
const allStreams = Object.keys(goodMessages) as readonly Stream[];

/** Of the wrong type. On `events` nothing is: what is not understood is handed on as `Unknown`, with what was unexpected. */
const wrongFields: Readonly<Record<Exclude<Stream, 'events'>, readonly string[]>> = {
  hb: ['{}', '{"ts":"soon"}', '{"ts":NaN}', '{"ts":{}}', '{"ts":null}'],
  notify: ['{}', '{"msg":5}', '{"msg":"x","seq":NaN}', '{"msg":"x","timestamp":"now"}'],
  log: ['{}', '{"msg":"x"}', goodMessages.log.replace('20', 'NaN'), goodMessages.log.replace('20', '[]')],
  status_updates: ['{}', '{"timestamp":1,"type":5,"msg":"online"}', '{"timestamp":NaN,"type":"a","msg":"b"}'],
  performance: [],
};

/** Numbers, which may be written as a text. */
const slowFields: Readonly<Partial<Record<Stream, string>>> = {
  hb: 'ts',
  notify: 'seq',
  log: 'level_no',
  status_updates: 'timestamp',
};

const refused = (text: string): Sample => ({
  name: text.slice(0, 40),
  payload: bytes(text),
  code: 'INVALID_DATA',
});

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let attacker: Attacker;
    beforeEach(async () => {
      broker = await startMosquitto({ own: true });
      attacker = await Attacker.at(broker.url);
    });
    afterEach(async () => {
      await attacker?.[Symbol.asyncDispose]();
      await broker?.stop();
    });

    describe('a client', () => {
      let node: Node;
      let events: NodeEvent[];
      let client: HbotClient;
      let got: Record<Stream, unknown[]>;
      beforeEach(async () => {
        events = [];
        node = await new Node({
          transport: mqtt(broker.url),
          onEvent: (event) => events.push(event),
        }).start();
        client = await HbotClient.open(node, { id: 'b' });
        got = { hb: [], events: [], notify: [], log: [], status_updates: [], performance: [] };
        await client.heartbeats((beat) => void got.hb.push(beat));
        await client.events((event) => void got.events.push(event));
        await client.notifications((notification) => void got.notify.push(notification));
        await client.logs((record) => void got.log.push(record));
        await client.statusUpdates((update) => void got.status_updates.push(update));
        await client.performance((reports) => void got.performance.push(reports));
      });
      afterEach(async () => {
        await client?.close();
        await node?.close({ deadlineMs: 2_000 });
      });

      test.each(allStreams)('%s', async (stream) => {
        const topic = `hbot/b/${stream}`;
        const good = goodMessages[stream];
        const slow = (stream in slowFields ? slowTexts : []).map((text) =>
          good.replace(/}$/, `,${JSON.stringify(slowFields[stream])}:"${text}"}`),
        );
        const bad =
          stream === 'events'
            ? []
            : [...noObject, ...wrongFields[stream], ...slow].map((text) => refused(text));
        const expected: string[] = [];
        for (const { payload, code } of [...unreadable, ...withProto(good), ...bad]) {
          await attacker.send(topic, payload);
          expected.push(`dropped ${topic} ${code}`);
          await until(() => reports(events).length >= expected.length, { what: 'the report', everyMs: 2 });
          expect(reports(events)).toEqual(expected);
        }
        expect(got[stream]).toEqual([]);
        if (stream === 'events') {
          const odd = [...noObject, '{}', '{"type":5}', '{"type":"OrderFilled","data":{"price":"x"}}'];
          for (const text of odd) await attacker.send(topic, bytes(text), { qos: 1 });
          await until(() => got.events.length >= odd.length, { what: 'the odd events' });
          for (const event of got.events.splice(0)) {
            expect(event).toMatchObject({ type: 'Unknown', issues: expect.any(Array) });
          }
        }
        for (const other of allStreams) await attacker.send(`hbot/b/${other}`, bytes(goodMessages[other]));
        await until(() => allStreams.every((other) => got[other].length >= 1), {
          what: 'a message on each stream',
        });
        for (const other of allStreams) expect(got[other]).toHaveLength(1);
        expect(reports(events)).toEqual(expected);
        expect(Reflect.get({}, 'polluted')).toBeUndefined();
      });
    });

    describe('a bot', () => {
      let bot: CountingBot;
      beforeEach(async () => {
        bot = await startCountingBot(broker.url);
      });
      afterEach(() => bot?.[Symbol.asyncDispose]());

      test('external events', async () => {
        const expected: string[] = [];
        const wrong = [
          '{"timestamp":"now"}',
          '{"sequence":NaN}',
          '{"type":5}',
          '{"data":[]}',
          '{"data":"x"}',
        ];
        const bad = [...unreadable, ...withProto('{"data":{}}'), ...[...noObject, ...wrong].map(refused)];
        for (const { payload, code } of bad) {
          await attacker.send('hbot/b/external/event/x', payload);
          expected.push(`dropped hbot/b/external/event/# ${code}`);
          expect(await bot.reported(expected.length)).toEqual(expected);
        }
        expect(bot.ran).toEqual([]);
        // Names of any kind are data.
        const names = [
          '__proto__',
          'constructor',
          'a/__proto__/b',
          '*',
          ' ',
          '..',
          '%2f',
          'ü',
          'x'.repeat(1_000),
        ];
        for (const name of names) {
          await attacker.send(`hbot/b/external/event/${name}`, bytes('{"data":{"n":1}}'), { qos: 1 });
        }
        await until(() => bot.ran.length >= names.length, { what: 'the odd names' });
        expect(bot.ran).toEqual(names.map((name) => `event ${name.replaceAll('/', '.')}`));
        expect(reports(bot.events)).toEqual(expected);
        expect(bot.errors).toEqual([]);
      });
    });
  },
  { own: true },
);
