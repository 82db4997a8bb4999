/** The same work over MQTT, AMQP, Redis and Kafka: one line says which. */

import { Node, rpc, topic } from '@commlib/core';
import { mqtt as broker } from '@commlib/transport-mqtt'; // or amqp, redis, kafka: the one line to change
import { z } from 'zod';

const temperature = topic('rooms.{room}.temperature', z.object({ celsius: z.number() }));
const divide = rpc('math.divide', {
  request: z.object({ a: z.number(), b: z.number() }),
  response: z.object({ quotient: z.number() }),
});
const order = z.object({ id: z.number() });
const orders = topic('orders', order, { delivery: 'at-least-once' });
const deadOrders = topic('orders.dead', order, { delivery: 'at-least-once' });

const url = process.argv[2] ?? 'mqtt://localhost:1883';
const server = await new Node({ transport: broker(url) }).start();
const client = await new Node({ transport: broker(url) }).start();

// Publish and subscribe, with a typed parameter in the name.
const warm = await server.subscribe(temperature);
await client.publisher(temperature).publish({ celsius: 21 }, { params: { room: 'kitchen' } });
for await (const { data, params } of warm) {
  console.log(`${params.room}: ${data.celsius} °C`);
  break;
}

// Calls: a hundred at once, each with its own answer.
await server.serve(divide, ({ a, b }) => ({ quotient: a / b }));
const caller = client.client(divide);
const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => caller.call({ a: i * 2, b: 2 })));
console.log(`${answers.filter(({ quotient }, i) => quotient === i).length} answers`);

// Messages that must arrive: acknowledged after the handler, tried again, and put aside when nothing helps.
const packed = new Set<number>();
let attempts = 0;
const buried = await server.subscribe(deadOrders, { group: 'office' });
await server.subscribe(
  orders,
  ({ id }, message) => {
    if (id !== 2) return packed.add(id);
    attempts++;
    message.nack(new Error('the shelf is empty'));
  },
  { group: 'warehouse', retry: { maxAttempts: 3, delayMs: 50 }, deadLetter: 'orders.dead' },
);
for (const id of [1, 2, 3]) await client.publisher(orders).publish({ id });
for await (const message of buried) {
  message.ack();
  console.log(`order ${message.data.id} was tried ${attempts} times`);
  break;
}
while (packed.size < 2) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(`orders ${[...packed].sort().join(' and ')} are packed`);

await client.close();
await server.close();

/* prints:
kitchen: 21 °C
100 answers
order 2 was tried 3 times
orders 1 and 3 are packed
*/
