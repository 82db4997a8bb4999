import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  MemoryBroker,
  type Message,
  memory,
  Node,
  type NodeEvent,
  type SubscriberOptions,
  type Transport,
  topic,
} from '../index.js';

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close({ deadlineMs: 200 })));
});

const orders = topic('orders', z.object({ n: z.number() }), { delivery: 'at-least-once' });
const dead = topic('orders/dead', z.unknown(), { delivery: 'at-least-once' });

type Handler = (n: number, message: Message<{ n: number }, object>) => unknown;

/** A shop that publishes and a warehouse that handles, and the dead letters. */
async function shop(handler: Handler, options: SubscriberOptions, change?: (transport: Transport) => void) {
  const broker = new MemoryBroker();
  const events: NodeEvent[] = [];
  const transport = memory({ broker });
  change?.(transport);
  const node = await new Node({ transport, onEvent: (event) => events.push(event) }).start();
  open.push(node);
  const letters: Message<unknown, object>[] = [];
  await node.subscribe(dead, (_, message) => letters.push(message), { group: 'undertaker' });
  const attempts: [number, number | undefined][] = [];
  const subscriber = await node.subscribe(
    orders,
    ({ n }, message) => {
      attempts.push([n, message.attempt]);
      return handler(n, message);
    },
    { group: 'warehouse', ...options },
  );
  const publish = (n: number) => node.publisher(orders).publish({ n });
  const raw = (text: string) =>
    node.transport.publish('orders', new TextEncoder().encode(text), { delivery: 'at-least-once' });
  return { node, events, letters, attempts, publish, raw, subscriber };
}

const locked = () => {
  throw new Error('the shelf is locked');
};
const soon = { maxAttempts: 3, delayMs: 1 };

describe('a message that always fails', () => {
  test('is buried after exactly maxAttempts, with its bytes and the reason; the others go on', async () => {
    const { attempts, letters, events, publish, node } = await shop((n) => (n === 1 ? locked() : undefined), {
      retry: soon,
      deadLetter: 'orders.dead',
    });
    await publish(1);
    await publish(2);
    await expect.poll(() => letters.length).toBe(1);
    expect(attempts.filter(([n]) => n === 1)).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    expect(attempts).toContainEqual([2, 1]);
    expect(letters[0]?.data).toEqual({ n: 1 });
    expect(letters[0]?.headers).toMatchObject({
      'dead-letter-address': 'orders',
      'dead-letter-code': 'ATTEMPTS_EXHAUSTED',
      'dead-letter-reason': 'a message on orders failed 3 times: the shelf is locked',
      'dead-letter-attempts': '3',
    });
    await expect
      .poll(() => events.find(({ type }) => type === 'dead-letter'))
      .toMatchObject({
        address: 'orders',
        to: 'orders/dead',
        error: { code: 'ATTEMPTS_EXHAUSTED' },
      });
    expect(node.counters.dropped).toBe(1);
  });

  test('is thrown away where that was said, and reported', async () => {
    const { attempts, letters, events, publish } = await shop(locked, { retry: soon, deadLetter: false });
    await publish(1);
    await expect
      .poll(() => events.some((event) => event.type === 'dead-letter' && event.to === undefined))
      .toBe(true);
    expect(attempts).toHaveLength(3);
    expect(letters).toEqual([]);
  });

  test('stays where it is while nobody keeps the dead letters', async () => {
    const { attempts, letters, events, publish, node } = await shop(locked, {
      retry: { maxAttempts: 1 },
      deadLetter: 'nobody/reads',
    });
    await publish(1);
    await expect
      .poll(() => events.find((event) => event.type === 'dropped'))
      .toMatchObject({ address: 'nobody/reads', error: { code: 'NO_RECEIVER' } });
    const late = topic('nobody/reads', z.unknown(), { delivery: 'at-least-once' });
    await node.subscribe(late, (_, message) => letters.push(message), { group: 'late' });
    await expect.poll(() => letters.length, { timeout: 5_000 }).toBe(1);
    // The second delivery was for the burial, not for the handler.
    expect(attempts).toEqual([[1, 1]]);
  });
});

test('the pause grows with the attempt', async () => {
  const asked: number[] = [];
  const delayMs = (attempt: number) => {
    asked.push(attempt);
    return 1;
  };
  const { attempts, publish } = await shop((_, { attempt }) => (attempt === 4 ? undefined : locked()), {
    retry: { delayMs },
  });
  await publish(1);
  await expect.poll(() => attempts.length).toBe(4);
  expect(asked).toEqual([1, 2, 3]);
});

test('what cannot be read, and what does not fit its schema, is buried at once', async () => {
  const { letters, raw, attempts } = await shop(() => {}, { deadLetter: 'orders.dead' });
  await raw('{"n":');
  await raw('{"n":"x"}');
  // The reader of the dead letters cannot read the first either: it has no dead letter of its own.
  await expect
    .poll(() => letters.map(({ headers }) => headers?.['dead-letter-code']))
    .toEqual(['INVALID_DATA']);
  expect(attempts).toEqual([]);
});

describe('settled by the handler', () => {
  test.each<[string, (message: Message<{ n: number }, object>) => void, number, number]>([
    ['ack, and the error after it is void', (message) => message.ack(), 1, 0],
    ['nack', (message) => message.nack(new Error('no')), 3, 1],
    ['retryIn', (message) => message.retryIn(1), 3, 1],
    ['reject', (message) => message.reject(new Error('no')), 1, 1],
  ])('%s', async (_, settle, deliveries, buried) => {
    const { attempts, letters, publish, subscriber } = await shop(
      (_n, message) => {
        settle(message);
        message.ack(); // Too late.
      },
      { retry: soon, deadLetter: 'orders.dead' },
    );
    await publish(1);
    await expect.poll(() => [attempts.length, letters.length]).toEqual([deliveries, buried]);
    await subscriber.close();
    expect(attempts).toHaveLength(deliveries);
  });

  test('a loop may leave by break and keep what it acknowledged', async () => {
    const { node } = await shop(() => {}, {});
    const again = topic('again', z.object({ n: z.number() }), { delivery: 'at-least-once' });
    const first = await node.subscribe(again, { group: 'loop' });
    await node.publisher(again).publish({ n: 1 });
    await node.publisher(again).publish({ n: 2 });
    for await (const message of first) {
      message.ack();
      break;
    }
    const second = await node.subscribe(again, { group: 'loop' });
    for await (const { data } of second) {
      expect(data).toEqual({ n: 2 });
      break;
    }
  });
});

test('what died with its process too often is buried without being handled again', async () => {
  const broker = new MemoryBroker();
  const dying = await new Node({ transport: memory({ broker }) }).start();
  open.push(dying);
  await dying.subscribe(dead, { group: 'undertaker' });
  for (let life = 1; life <= 2; life++) {
    const process = await new Node({ transport: memory({ broker }) }).start();
    const subscriber = await process.subscribe(orders, { group: 'warehouse' });
    if (life === 1) await dying.publisher(orders).publish({ n: 1 });
    await subscriber[Symbol.asyncIterator]().next();
    await process.close({ deadlineMs: 0 });
  }
  const events: NodeEvent[] = [];
  const last = await new Node({
    transport: memory({ broker }),
    onEvent: (event) => events.push(event),
  }).start();
  open.push(last);
  await last.subscribe(orders, () => expect.unreachable(), {
    group: 'warehouse',
    retry: { maxAttempts: 2 },
    deadLetter: 'orders.dead',
  });
  await expect.poll(() => events.some(({ type }) => type === 'dead-letter')).toBe(true);
});

describe('said wrongly', () => {
  test.each<[string, SubscriberOptions, string]>([
    ['a cap without a dead letter', { retry: { maxAttempts: 3 } }, 'WRONG_STATE'],
    ['a dead letter with wildcards', { deadLetter: 'dead.+' }, 'INVALID_NAME'],
  ])('%s', async (_, options, code) => {
    await expect(shop(() => {}, options)).rejects.toMatchObject({ code });
  });

  test('at most once there is nothing to retry, and nothing to settle', async () => {
    const node = await new Node({ transport: memory() }).start();
    open.push(node);
    const loose = topic('loose', z.unknown());
    await expect(node.subscribe(loose, () => {}, { deadLetter: 'x' })).rejects.toMatchObject({
      code: 'WRONG_STATE',
    });
    const subscriber = await node.subscribe(loose);
    await node.publisher(loose).publish(1);
    const { value } = await subscriber[Symbol.asyncIterator]().next();
    expect(() => value?.ack()).toThrow('delivered at most once');
  });
});
