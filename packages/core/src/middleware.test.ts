import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { memory, Node, type NodeEvent, rpc, ServiceError, topic } from './index.js';

const open: Node[] = [];
const events: NodeEvent[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function start(): Promise<Node> {
  events.length = 0;
  const node = new Node({ transport: memory(), onEvent: (event) => events.push(event) });
  open.push(node);
  return node.start();
}

const numbers = topic('numbers', z.object({ n: z.number() }));
const echo = rpc('echo', { request: z.object({ n: z.number() }), response: z.object({ n: z.number() }) });

describe('around publishing', () => {
  test('what it puts in place of the data is checked and sent', async () => {
    const node = await start();
    const seen: number[] = [];
    await node.subscribe(numbers, ({ n }) => seen.push(n));
    node.use({
      publish(context, next) {
        if (context.address !== 'numbers') return next();
        context.data = JSON.parse(seen.length === 0 ? '{"n":7}' : '{"n":"x"}');
        return next();
      },
    });
    await node.publisher(numbers).publish({ n: 1 });
    await expect.poll(() => seen).toEqual([7]);
    await expect(node.publisher(numbers).publish({ n: 1 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });

  test('not calling next prevents it, throwing fails it', async () => {
    const node = await start();
    let prevent = true;
    node.use({
      publish() {
        // In plain JavaScript a middleware need not be asynchronous.
        if (!prevent) throw new Error('not this one');
        return Promise.resolve();
      },
    });
    await node.publisher(numbers).publish({ n: 1 });
    expect(node.counters.published).toBe(0);
    prevent = false;
    await expect(node.publisher(numbers).publish({ n: 1 })).rejects.toThrow('not this one');
  });
});

describe('around receiving', () => {
  test('sees what the handler throws, and may keep it to itself', async () => {
    const node = await start();
    const caught: string[] = [];
    node.use({
      async receive({ message }, next) {
        try {
          await next();
        } catch (error) {
          caught.push(`${message.address}: ${error instanceof Error ? error.message : ''}`);
        }
      },
    });
    await node.subscribe(numbers, () => {
      throw new Error('handler');
    });
    await node.publisher(numbers).publish({ n: 1 });
    await expect.poll(() => caught).toEqual(['numbers: handler']);
    expect(events.filter((event) => event.type === 'handler-error')).toEqual([]);
  });

  test('what it throws itself is reported as if the handler had, and the next message comes', async () => {
    const node = await start();
    const seen: number[] = [];
    node.use({
      receive({ message }, next) {
        if (seen.length === 0) {
          seen.push(0);
          throw new Error(`no ${message.address}`);
        }
        return next();
      },
    });
    await node.subscribe(numbers, ({ n }) => seen.push(n));
    for (const n of [1, 2]) await node.publisher(numbers).publish({ n });
    await expect.poll(() => seen).toEqual([0, 2]);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'handler-error',
        error: expect.objectContaining({ message: expect.stringContaining('no numbers') }),
      }),
    );
  });
});

describe('around calls and services', () => {
  test('a layer may try again', async () => {
    const node = await start();
    let attempts = 0;
    node.use({ call: (_, next) => next().catch(next) });
    await node.serve(echo, ({ n }) => {
      if (++attempts === 1) throw new Error('the first time');
      return { n };
    });
    expect(await node.client(echo).call({ n: 1 })).toEqual({ n: 1 });
    expect(attempts).toBe(2);
  });

  test('a layer that refuses a request answers with its own error; one that answers nothing is an error too', async () => {
    const node = await start();
    let refuse = true;
    node.use({
      async serve({ request }) {
        if (refuse) throw new ServiceError('FORBIDDEN', `not from ${String(request.header.agent)}`);
        return undefined;
      },
    });
    await node.serve(echo, () => expect.unreachable());
    await expect(node.client(echo).call({ n: 1 })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: 'not from commlib-ts',
    });
    refuse = false;
    await expect(node.client(echo).call({ n: 1 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });
});
