import { Node, rpc, topic } from '@commlib/core';
import { amqp } from '@commlib/transport-amqp';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, sharedRabbitmq, until } from '../brokers/index.js';
import { rejection, unique } from './links.js';

const number = z.object({ n: z.number() });

describeOn('rabbitmq', () => {
  describe('through one RabbitMQ, AMQP and MQTT endpoints', () => {
    let overAmqp: Node;
    let overMqtt: Node;
    beforeAll(async () => {
      const broker = await sharedRabbitmq();
      overAmqp = await new Node({
        transport: amqp(broker.url, { names: 'mqtt' }),
        inboxPrefix: 'allowed/replies',
      }).start();
      overMqtt = await new Node({ transport: mqtt(broker.mqttUrl) }).start();
    });
    afterAll(async () => {
      await overAmqp?.close();
      await overMqtt?.close();
    });

    test('topics both ways, with wildcards and parameters', async () => {
      const name = unique();
      const state = topic(`bots/${name}/{id}/state`, number);
      const heard: Record<string, [string, number][]> = { amqp: [], mqtt: [] };
      await overAmqp.subscribe(state, ({ n }, { params }) => void heard.amqp?.push([params.id, n]));
      await overMqtt.subscribe(state, ({ n }, { params }) => void heard.mqtt?.push([params.id, n]));
      await overAmqp.publisher(state).publish({ n: 1 }, { params: { id: 'a' } });
      await until(() => heard.mqtt?.length === 1, { what: 'AMQP to MQTT' });
      await overMqtt.publisher(state).publish({ n: 2 }, { params: { id: 'b' } });
      await until(() => heard.amqp?.length === 2 && heard.mqtt?.length === 2, { what: 'MQTT to AMQP' });
      const both = [
        ['a', 1],
        ['b', 2],
      ];
      expect(heard).toEqual({ amqp: both, mqtt: both });
    });

    test('an AMQP client calls an MQTT service, many calls at once; the reply topics are under its prefix', async () => {
      const add = rpc(`${unique()}/add`, { request: number, response: number });
      const replies: unknown[] = [];
      await overMqtt.serve(add, ({ n }, { header }) => {
        replies.push(header.reply_to);
        return { n: n + 1 };
      });
      const client = overAmqp.client(add);
      const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => client.call({ n })));
      expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
      expect(String(replies[0])).toMatch(/^allowed\/replies\/rpc-[0-9a-f]{32}\/\d+$/);
    });

    test('an MQTT client calls an AMQP service, and so does an AMQP one', async () => {
      const add = rpc(`${unique()}/add`, { request: number, response: number });
      await overAmqp.serve(add, ({ n }) => ({ n: n + 1 }));
      for (const node of [overMqtt, overAmqp]) {
        const client = node.client(add);
        const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => client.call({ n })));
        expect(answers.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
      }
    });

    test('nobody serves: an AMQP client is told at once', async () => {
      const nothing = rpc(`${unique()}/nothing`, { request: number, response: number });
      expect(await rejection(overAmqp.client(nothing).call({ n: 1 }))).toMatchObject({
        code: 'NO_RECEIVER',
      });
    });

    test('services are all asked, as on MQTT, or one of those that compete', async () => {
      const broker = await sharedRabbitmq();
      const second = await new Node({ transport: amqp(broker.url, { names: 'mqtt' }) }).start();
      try {
        const name = unique();
        const all = rpc(`${name}/all`, { request: number, response: number });
        const one = rpc(`${name}/one`, { request: number, response: number });
        const served = { all: 0, one: 0 };
        for (const node of [overAmqp, second]) {
          await node.serve(all, ({ n }) => {
            served.all++;
            return { n };
          });
          await node.serve(
            one,
            ({ n }) => {
              served.one++;
              return { n };
            },
            { mode: 'compete' },
          );
        }
        for (let n = 0; n < 10; n++) {
          await overMqtt.client(all).call({ n });
          await overMqtt.client(one).call({ n });
        }
        await until(() => served.all === 20, { what: 'both services' });
        expect(served.one).toBe(10);
      } finally {
        await second.close();
      }
    });
  });
});
