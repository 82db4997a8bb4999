/** Whatever comes into a client's inbox: the call it was sent to is told, no other call is touched, the client lives on. */
import { CommlibError, Node, type NodeEvent } from '@commlib/core';
import { HbotClient } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../../brokers/index.js';
import { Attacker } from './attacker.js';
import { reports } from './bot.js';
import { bytes, noObject, type Sample, slowTexts, unreadable, withProto } from './samples.js';

/** Bad answers to `status`, with the code that its caller gets. */
const badAnswers: readonly Sample[] = [
  ...unreadable,
  ...noObject.map((text) => answer(text)),
  answer('{"data":{"status":200,"msg":""}}'),
  answer('{"header":null,"data":{"status":200,"msg":""}}'),
  answer('{"header":[],"data":{"status":200,"msg":""}}'),
  answer('{"header":{}}'),
  ...withProto('{"status":200}').map(({ payload }) =>
    answer(`{"header":{},"data":${new TextDecoder().decode(payload)}}`),
  ),
  answer('{"header":{"__proto__":{}},"data":{"status":200,"msg":""}}'),
  answer('{"header":{"error":{"code":"X","details":{"__proto__":{}}}},"data":null}'),
  ...['null', '5', '[]', '"text"', '{}', '{"status":"fine"}', '{"status":NaN}', '{"status":200,"msg":5}'].map(
    (data) => answer(`{"header":{},"data":${data}}`, 'INVALID_DATA'),
  ),
  ...slowTexts.map((text) => answer(`{"header":{},"data":{"status":"${text}"}}`, 'INVALID_DATA')),
  ...slowTexts.map((text) =>
    answer(`{"header":{},"data":{"status":400,"msg":"${text}"}}`, 'COMMAND_REFUSED'),
  ),
  answer('{"header":{"error":{"code":"NO","message":5}},"data":{"status":200}}', 'NO'),
  answer('{"header":{"error":"NO"},"data":{"status":NaN}}', 'INVALID_DATA'),
];

function answer(text: string, code = 'MALFORMED'): Sample {
  return { name: text.slice(0, 60), payload: bytes(text), code };
}

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    let attacker: Attacker;
    let events: NodeEvent[];
    let node: Node;
    let client: HbotClient;
    beforeEach(async () => {
      broker = await startMosquitto({ own: true });
      attacker = await Attacker.at(broker.url);
      events = [];
      node = await new Node({ transport: mqtt(broker.url), onEvent: (event) => events.push(event) }).start();
      client = await HbotClient.open(node, { id: 'b', timeoutMs: 20_000 });
    });
    afterEach(async () => {
      await client?.close();
      await node?.close({ deadlineMs: 2_000 });
      await attacker?.[Symbol.asyncDispose]();
      await broker?.stop();
    });

    /** Where the n-th request of the client wants its answer. */
    async function replyTo(n: number): Promise<string> {
      const seen = await until(() => attacker.on('hbot/b/status')[n], { what: `request ${n}` });
      return JSON.parse(seen.payload).header.reply_to;
    }

    test('each bad answer ends its own call with a typed error, at once and without a further report', async () => {
      for (const [n, { name, payload, code }] of badAnswers.entries()) {
        const outcome = client.status().then(
          (reply) => reply,
          (error: unknown) => (CommlibError.is(error) ? error.code : error),
        );
        await attacker.send(await replyTo(n), payload);
        expect(await outcome, name).toBe(code);
      }
      const last = client.status();
      await attacker.send(
        await replyTo(badAnswers.length),
        bytes('{"header":{},"data":{"status":200,"msg":"fine"}}'),
      );
      expect(await last).toMatchObject({ status: 200, msg: 'fine' });
      expect(reports(events)).toEqual([]);
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
    });

    test('bad answers to nobody, or after the answer, are dropped; the call in flight gets its own', async () => {
      const inFlight = client.status();
      const own = await replyTo(0);
      const inbox = own.slice(0, own.lastIndexOf('/'));
      const good = bytes('{"header":{},"data":{"status":200,"msg":"forged"}}');
      let sent = 0;
      for (const last of [
        '0',
        '00',
        '01',
        '1.0',
        '+1',
        ' 1',
        '999999',
        '-1',
        '__proto__',
        'constructor',
        '',
      ]) {
        if (`${inbox}/${last}` === own || last.includes('+')) continue;
        await attacker.send(`${inbox}/${last}`, good, { qos: 1 });
        sent++;
      }
      for (const { payload } of unreadable) {
        await attacker.send(`${inbox}/999`, payload, { qos: 1 });
        sent++;
      }
      await until(() => node.counters.lateReplies === sent, { what: 'the answers to nobody' });
      await attacker.send(own, bytes('{"header":{},"data":{"status":200,"msg":"own"}}'), { qos: 1 });
      expect(await inFlight).toMatchObject({ msg: 'own' });
      for (let again = 0; again < 3; again++) await attacker.send(own, good, { qos: 1 });
      await until(() => node.counters.lateReplies === sent + 3, { what: 'the answers that came again' });
      expect(reports(events)).toEqual([]);
    });
  },
  { own: true },
);
