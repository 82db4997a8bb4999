/** What a user's editor says: types follow from the contract at every end. Checked by the compiler; run for their values. */
import { afterAll, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { literal, memory, Node, rpc, topic } from './index.js';

// What is written and what is read differ, so that a mistaken end shows.
const reading = topic(
  'rooms/{room}/temperature',
  z.object({ celsius: z.number().default(20), at: z.coerce.date<string>() }),
);
const add = rpc('bots/{id}/add', {
  request: z.object({ a: z.number().default(1) }),
  response: z.object({ sum: z.string().transform(Number) }),
});
const heartbeat = topic(literal('hbot/{bot}/hb'), z.unknown());

const node = await new Node({ transport: memory() }).start();
afterAll(() => node.close());

test('a message: the input is published, the output is received', async () => {
  const publisher = node.publisher(reading, { params: { room: 'hall' } });
  expectTypeOf(publisher.publish).parameter(0).toEqualTypeOf<{ at: string; celsius?: number | undefined }>();
  const seen: number[] = [];
  // A handler may return anything.
  const subscriber = await node.subscribe(reading, (data, message) => {
    expectTypeOf(data).toEqualTypeOf<{ celsius: number; at: Date }>();
    expectTypeOf(message.data).toEqualTypeOf<{ celsius: number; at: Date }>();
    expectTypeOf(message.params).toEqualTypeOf<{ readonly room: string }>();
    return seen.push(data.celsius);
  });
  const messages = await node.subscribe(reading);
  await publisher.publish({ at: '2026-01-01' });
  for await (const { data, params } of messages) {
    expectTypeOf(data).toEqualTypeOf<{ celsius: number; at: Date }>();
    expect([data.celsius, params.room]).toEqual([20, 'hall']);
    break;
  }
  await subscriber.close();
  expect(seen).toEqual([20]);
});

test('a call: the request is written, the response read', async () => {
  const service = await node.serve(
    add,
    (data, request) => {
      expectTypeOf(data).toEqualTypeOf<{ a: number }>();
      expectTypeOf(request.params).toEqualTypeOf<{ readonly id: string }>();
      return { sum: String(data.a) };
    },
    { params: { id: 'x' } },
  );
  const client = node.client(add, { params: { id: 'x' } });
  expectTypeOf(client.call).parameter(0).toEqualTypeOf<{ a?: number | undefined }>();
  const answer = await client.call({});
  expectTypeOf(answer).toEqualTypeOf<{ sum: number }>();
  expect(answer).toEqual({ sum: 1 });
  await service.close();
});

test('mistakes are found by the compiler', () => {
  // Never run: only compiled.
  const mistakes = [
    // @ts-expect-error there is no such parameter
    () => node.subscribe(reading, () => {}, { params: { rom: 'x' } }),
    // @ts-expect-error the room is missing
    () => node.publisher(reading).publish({ celsius: 1, at: '2026-01-01' }),
    // @ts-expect-error the topic has no parameters
    () => node.publisher(topic('a', z.number())).publish(1, { params: { id: 'x' } }),
    // @ts-expect-error the date is missing
    () => node.publisher(reading).publish({ celsius: 1 }, { params: { room: 'x' } }),
    // @ts-expect-error the service writes a text
    () => node.serve(add, () => ({ sum: 1 })),
    // @ts-expect-error what came in has no type yet
    () => node.subscribe(heartbeat, (data) => data.anything),
  ];
  expect(mistakes.length).toBe(6);
});
