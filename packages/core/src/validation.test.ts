import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  anything,
  memory,
  Node,
  type NodeEvent,
  type NodeOptions,
  rpc,
  type Schema,
  topic,
} from './index.js';

const open: Node[] = [];
const events: NodeEvent[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function start(options: Partial<NodeOptions> = {}): Promise<Node> {
  events.length = 0;
  const node = new Node({ transport: memory(), onEvent: (event) => events.push(event), ...options });
  open.push(node);
  return node.start();
}
const codes = () => events.flatMap((event) => ('error' in event && event.error ? [event.error.code] : []));

const later = z.object({ n: z.number() }).refine(async ({ n }) => n >= 0, 'negative');
const slow = { topic: topic('slow', later), rpc: rpc('slow', { request: later, response: later }) };
const lax = { topic: topic('slow', anything), rpc: rpc('slow', { request: anything, response: anything }) };
const refused = { code: 'INVALID_DATA', message: expect.stringContaining('negative') };

describe('an asynchronous schema', () => {
  test('checks what is published', async () => {
    const node = await start();
    const seen: unknown[] = [];
    await node.subscribe(lax.topic, (data) => seen.push(data));
    await expect(node.publisher(slow.topic).publish({ n: -1 })).rejects.toMatchObject(refused);
    await node.publisher(slow.topic).publish({ n: 1 });
    await expect.poll(() => seen).toEqual([{ n: 1 }]);
  });

  test('checks what is received', async () => {
    const node = await start();
    const seen: unknown[] = [];
    await node.subscribe(slow.topic, (data) => seen.push(data));
    for (const n of [-1, 1]) await node.publisher(lax.topic).publish({ n });
    await expect.poll(() => seen).toEqual([{ n: 1 }]);
    expect(codes()).toEqual(['INVALID_DATA']);
  });

  test('checks requests before they are sent, and before they are handled', async () => {
    const node = await start();
    await node.serve(slow.rpc, (data) => data);
    await expect(node.client(slow.rpc).call({ n: -1 })).rejects.toMatchObject(refused);
    expect(node.counters.calls).toBe(0);
    await expect(node.client(lax.rpc).call({ n: -1 })).rejects.toMatchObject(refused);
    expect(node.counters.served).toBe(0);
    expect(await node.client(slow.rpc).call({ n: 1 })).toEqual({ n: 1 });
  });

  test('checks answers before they are sent, and when they come', async () => {
    const node = await start();
    const strict = await node.serve(slow.rpc, () => ({ n: -1 }));
    await expect(node.client(slow.rpc).call({ n: 1 })).rejects.toMatchObject(refused);
    await strict.close();
    await node.serve(lax.rpc, () => ({ n: -1 }));
    await expect(node.client(slow.rpc).call({ n: 1 })).rejects.toMatchObject({
      code: 'INVALID_DATA',
      message: expect.stringContaining('answer of slow'),
    });
  });
});

test('a schema that throws is a typed error at all its places, and nothing dies of it', async () => {
  const node = await start();
  const broken: Schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate() {
        throw new Error('bug in the schema');
      },
    },
  };
  await node.subscribe(topic('slow', broken), () => expect.unreachable());
  await node.publisher(lax.topic).publish({});
  await expect.poll(() => codes()).toEqual(['MALFORMED']);
  const service = await node.serve(rpc('slow', { request: broken, response: anything }), () => 1);
  await expect(node.client(lax.rpc).call({})).rejects.toMatchObject({ code: 'MALFORMED' });
  await service.close();
  await node.serve(rpc('slow', { request: anything, response: broken }), () => 1);
  await expect(node.client(lax.rpc).call({})).rejects.toMatchObject({ code: 'HANDLER_FAILED' });
  expect(codes()).toEqual(['MALFORMED', 'MALFORMED', 'HANDLER_FAILED']);
});

test('nothing is checked where that was switched off', async () => {
  const node = await start({ validate: { inbound: false, outbound: false } });
  const seen: unknown[] = [];
  await node.subscribe(slow.topic, (data) => seen.push(data));
  await node.publisher(slow.topic).publish({ n: -1 });
  await expect.poll(() => seen).toEqual([{ n: -1 }]);
  await node.serve(slow.rpc, (data) => data);
  expect(await node.client(slow.rpc).call({ n: -1 })).toEqual({ n: -1 });
});

test('a payload above the limit is refused everywhere, as it is and inflated', async () => {
  const text = 'x'.repeat(5_000);
  for (const compress of [false, true]) {
    const node = await start({ maxPayloadBytes: 1_000, compress });
    await node.subscribe(lax.topic, () => expect.unreachable());
    await node.publisher(lax.topic).publish({ text });
    await node.serve(lax.rpc, () => ({ text }));
    await expect(node.client(lax.rpc).call({})).rejects.toMatchObject({ code: 'TOO_LARGE' });
    const abort = new AbortController();
    const unread = node.client(lax.rpc).call({ text }, { signal: abort.signal });
    const ended = expect(unread).rejects.toMatchObject({ code: 'ABORTED' });
    await expect.poll(() => codes()).toEqual(['TOO_LARGE', 'TOO_LARGE']);
    abort.abort();
    await ended;
    await node.close();
  }
});
