import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { MemoryBroker, memory, Node, type NodeEvent, rpc, ServiceError, topic } from './index.js';

const nodes: Node[] = [];

async function start(broker = new MemoryBroker(), onEvent?: (event: NodeEvent) => void): Promise<Node> {
  const node = new Node({ transport: memory({ broker }), onEvent });
  nodes.push(node);
  return node.start();
}

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
});

const reading = topic('rooms/{room}/temperature', z.object({ celsius: z.number() }));
const add = rpc('math.add', {
  request: z.object({ a: z.number(), b: z.number() }),
  response: z.object({ sum: z.number() }),
});

describe('publish and subscribe', () => {
  test('a handler gets the data and the named parameters', async () => {
    const node = await start();
    const got = new Promise<unknown>((resolve) => {
      void node.subscribe(reading, (data, message) => {
        expectTypeOf(data).toEqualTypeOf<{ celsius: number }>();
        expectTypeOf(message.params).toEqualTypeOf<{ readonly room: string }>();
        resolve([data.celsius, message.params.room]);
      });
    });
    await node.publisher(reading).publish({ celsius: 20 }, { params: { room: 'kitchen' } });
    expect(await got).toEqual([20, 'kitchen']);
  });

  test('an iterator gets the same', async () => {
    const node = await start();
    const subscriber = await node.subscribe(reading, { params: { room: 'hall' } });
    const publisher = node.publisher(reading, { params: { room: 'hall' } });
    await publisher.publish({ celsius: 1 }, {});
    await publisher.publish({ celsius: 2 }, {});
    const seen: number[] = [];
    for await (const { data } of subscriber) {
      seen.push(data.celsius);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([1, 2]);
  });
});

describe('calls', () => {
  test('a call gets its answer, typed', async () => {
    const node = await start();
    await node.serve(add, ({ a, b }) => ({ sum: a + b }));
    const answer = await node.client(add).call({ a: 1, b: 2 });
    expectTypeOf(answer).toEqualTypeOf<{ sum: number }>();
    expect(answer).toEqual({ sum: 3 });
  });

  test('a thousand calls at once each get their own answer', async () => {
    const node = await start();
    await node.serve(add, async ({ a, b }) => ({ sum: a + b }));
    const client = node.client(add);
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, a) => client.call({ a, b: 0 })));
    expect(answers.map(({ sum }) => sum)).toEqual(Array.from({ length: 1000 }, (_, a) => a));
  });

  test('a failing handler answers with its error', async () => {
    const node = await start();
    await node.serve(add, () => {
      throw new ServiceError('OUT_OF_NUMBERS', 'no', { left: 0 });
    });
    await expect(node.client(add).call({ a: 1, b: 1 })).rejects.toMatchObject({
      code: 'OUT_OF_NUMBERS',
      message: 'no',
      details: { left: 0 },
    });
  });

  test('calls in flight end when the broker goes, and later ones work again', async () => {
    const broker = new MemoryBroker();
    const node = await start(broker);
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      void node.serve(add, async () => {
        resolve();
        await new Promise<void>((done) => {
          answer = done;
        });
        return { sum: 0 };
      });
    });
    const call = node.client(add).call({ a: 1, b: 1 });
    await asked;
    broker.kill();
    await expect(call).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(node.client(add).call({ a: 1, b: 1 })).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
    answer();
    const ready = (async () => {
      for await (const event of node.events())
        if (event.type === 'status' && event.status.state === 'ready') return;
    })();
    broker.restore();
    await ready;
    const again = node.client(add).call({ a: 1, b: 1 });
    await expect.poll(() => node.counters.served).toBe(2);
    answer();
    expect(await again).toEqual({ sum: 0 });
  });
});
