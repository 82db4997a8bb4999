import { Node, rpc, topic } from '@commlib/core';
import { amqp } from '@commlib/transport-amqp';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, sharedRabbitmq, until } from '../brokers/index.js';
import { unique } from './links.js';

describeOn('rabbitmq', () => {
  let url: string;
  beforeAll(async () => {
    url = (await sharedRabbitmq()).url;
  });

  test('messages, durable messages and calls go round through nodes', async () => {
    const name = unique();
    const readings = topic(`${name}.readings`, z.object({ n: z.number() }));
    const orders = topic(`${name}.orders.+`, z.object({ n: z.number() }), { delivery: 'at-least-once' });
    const order = topic(`${name}.orders.one`, z.object({ n: z.number() }), { delivery: 'at-least-once' });
    const add = rpc(`${name}.add`, {
      request: z.object({ a: z.number(), b: z.number() }),
      response: z.object({ sum: z.number() }),
    });
    const server = await new Node({ transport: amqp(url) }).start();
    const client = await new Node({ transport: amqp(url) }).start();
    try {
      const heard: number[] = [];
      const taken: number[] = [];
      await server.subscribe(readings, ({ n }) => void heard.push(n));
      const orderly = await server.subscribe(orders, ({ n }) => void taken.push(n), { group: name });
      await server.serve(add, ({ a, b }) => ({ sum: a + b }));
      const publisher = client.publisher(readings);
      for (let n = 0; n < 100; n++) await publisher.publish({ n });
      for (let n = 0; n < 100; n++) await client.publisher(order).publish({ n });
      const sums = await Promise.all(
        Array.from({ length: 100 }, (_, a) => client.client(add).call({ a, b: 1 })),
      );
      expect(sums.map(({ sum }) => sum)).toEqual(Array.from({ length: 100 }, (_, a) => a + 1));
      await until(() => heard.length === 100 && taken.length === 100, { what: 'all messages' });
      expect(heard).toEqual(Array.from({ length: 100 }, (_, n) => n));
      expect(taken).toEqual(heard);
      await orderly.close();
    } finally {
      await client.close();
      await server.close();
    }
  });
});
