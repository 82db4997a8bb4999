import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  type Inbound,
  type IntakeCloseOptions,
  memory,
  Node,
  type NodeEvent,
  type NodeOptions,
  type Settlement,
  type SubscribeOptions,
  type Transport,
  topic,
} from '../index.js';
import { deferred } from '../util/deferred.js';

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close({ deadlineMs: 100 })));
});

const work = topic('work', z.object({ n: z.number() }), { delivery: 'at-least-once' });

/** A node whose messages the test delivers itself, and sees what becomes of them. Its intake closes as a broker's does. */
async function receiving(options: Partial<NodeOptions> = {}) {
  const events: NodeEvent[] = [];
  const settled: [number, Settlement][] = [];
  const waiting = new Set<() => void>();
  let unsettled = 0;
  let deliver: (message: Inbound) => void = () => {};
  const transport: Transport = Object.assign(memory(), {
    subscribe: async (_filter: string, _options: SubscribeOptions, on: (message: Inbound) => void) => {
      deliver = on;
      return {
        close: async (_: IntakeCloseOptions = {}) => {
          if (unsettled > 0) await new Promise<void>((resolve) => waiting.add(resolve));
        },
      };
    },
  });
  const node = await new Node({ transport, onEvent: (event) => events.push(event), ...options }).start();
  open.push(node);
  const send = (n: number, payload: string | Uint8Array = `{"n":${n}}`, more: Partial<Inbound> = {}) => {
    unsettled++;
    deliver({
      address: 'work',
      payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
      retained: false,
      settle: (outcome) => {
        settled.push([n, outcome]);
        if (--unsettled === 0) for (const resolve of waiting) resolve();
        return settled.length; // What it returns is nobody's business.
      },
      ...more,
    });
  };
  return { node, send, settled, events };
}

const zipped = (text: string) => new Uint8Array(deflateSync(new TextEncoder().encode(text)));

describe('a message is settled once', () => {
  test.each<[string, string | Uint8Array, Settlement]>([
    ['handled', '{"n":1}', 'ack'],
    ['compressed', zipped('{"n":1}'), 'ack'],
    ['a handler that throws', '{"n":-1}', 'nack'],
    ['a handler that rejects', '{"n":-2}', 'nack'],
    ['a thenable that fails', '{"n":-3}', 'nack'],
    ['not JSON', '{', 'reject'],
    ['invalid', '{"n":"x"}', 'reject'],
    ['a broken stream', zipped('x'.repeat(9999)).slice(0, 20), 'reject'],
  ])('%s', async (_, payload, outcome) => {
    const { node, send, settled } = await receiving();
    await node.subscribe(
      work,
      ({ n }) => {
        if (n === -1) throw new Error('no');
        if (n === -2) return Promise.reject(new Error('no'));
        // biome-ignore lint/suspicious/noThenProperty: what the test is about
        if (n === -3) return { then: (_: unknown, no: (error: unknown) => void) => no(new Error('no')) };
        return n;
      },
      { group: 'g' },
    );
    send(1, payload);
    send(2);
    await expect
      .poll(() => settled)
      .toEqual([
        [1, outcome],
        [2, 'ack'],
      ]);
  });

  test('also where the schema is asynchronous, and in order with what is compressed', async () => {
    const { node, send, settled } = await receiving();
    const slow = topic(
      'work',
      z.object({ n: z.number() }).refine(async ({ n }) => n !== 3),
      {
        delivery: 'at-least-once',
      },
    );
    const seen: number[] = [];
    await node.subscribe(slow, ({ n }) => seen.push(n), { group: 'g' });
    send(1, zipped('{"n":1,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxx"}'));
    send(2);
    send(3);
    send(4, zipped('{"n":4}'));
    await expect
      .poll(() => settled)
      .toEqual([
        [1, 'ack'],
        [2, 'ack'],
        [3, 'reject'],
        [4, 'ack'],
      ]);
    expect(seen).toEqual([1, 2, 4]);
  });

  test('kept back by middleware: handled, for a handler and for an iterator', async () => {
    const { node, send, settled } = await receiving();
    node.use({ receive: async () => {} });
    await node.subscribe(work, () => expect.unreachable(), { group: 'g' });
    send(1);
    await node.subscribe(work, { group: 'g' });
    send(2);
    await expect
      .poll(() => settled)
      .toEqual([
        [1, 'ack'],
        [2, 'ack'],
      ]);
  });

  test('when middleware fails behind an iterator, or calls it twice: by the iterator alone', async () => {
    const { node, send, settled, events } = await receiving();
    node.use({
      async receive(_, next) {
        await next();
        await next();
        throw new Error('afterwards');
      },
    });
    const messages = (await node.subscribe(work, { group: 'g' }))[Symbol.asyncIterator]();
    send(1);
    expect((await messages.next()).value?.data).toEqual({ n: 1 });
    await expect.poll(() => events.filter((event) => event.type === 'handler-error').length).toBe(1);
    const next = messages.next();
    send(2);
    expect((await next).value?.data).toEqual({ n: 2 });
    expect(settled).toEqual([[1, 'ack']]);
  });

  test('a codec of the user that throws anything: refused as malformed', async () => {
    const { node, send, settled, events } = await receiving({
      codec: {
        contentType: 'x/y',
        encode: () => new Uint8Array(),
        decode: () => {
          throw Object.create(null);
        },
      },
    });
    await node.subscribe(work, () => {}, { group: 'g' });
    send(1);
    await expect.poll(() => settled).toEqual([[1, 'reject']]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'dropped', error: expect.objectContaining({ code: 'MALFORMED' }) }),
    );
  });
});

describe('an iterator at least once', () => {
  test('that is left by an error has not handled the message it held', async () => {
    const { node, send, settled } = await receiving();
    const messages = await node.subscribe(work, { group: 'g' });
    for (const n of [1, 2, 3]) send(n);
    const loop = async () => {
      for await (const { data } of messages) if (data.n === 2) throw new Error('cannot');
    };
    await expect(loop()).rejects.toThrow('cannot');
    expect(settled).toEqual([
      [1, 'ack'],
      [2, 'nack'],
      [3, 'nack'],
    ]);
  });

  test('gives back what nobody asked for when it is closed, and nothing waits for a reader that never comes', async () => {
    const { node, send, settled } = await receiving();
    const messages = await node.subscribe(work, { group: 'g' });
    for (const n of [1, 2]) send(n);
    await messages.close();
    expect(settled).toEqual([
      [1, 'nack'],
      [2, 'nack'],
    ]);
    for await (const _ of messages) expect.unreachable();
  });

  test('closed with a message in hand waits for the next next(), or for the deadline', async () => {
    const { node, send, settled } = await receiving();
    const one = await node.subscribe(work, { group: 'g' });
    const reading = one[Symbol.asyncIterator]();
    send(1);
    await reading.next();
    const closed = one.close();
    expect(await reading.next()).toEqual({ done: true, value: undefined });
    await closed;
    const two = await node.subscribe(work, { group: 'g' });
    const idle = two[Symbol.asyncIterator]();
    send(2);
    await idle.next();
    await two.close({ deadlineMs: 5 });
    await idle.next();
    expect(settled).toEqual([
      [1, 'ack'],
      [2, 'nack'],
    ]);
  });
});

describe('closing', () => {
  test('from its own handler ends at the deadline; what was not begun goes back', async () => {
    const { node, send, settled } = await receiving();
    const closed = deferred<void>();
    const subscriber = await node.subscribe(
      work,
      async () => {
        await subscriber.close({ deadlineMs: 10 });
        closed.resolve();
      },
      { group: 'g' },
    );
    for (const n of [1, 2, 3]) send(n);
    await closed.promise;
    await expect
      .poll(() => settled)
      .toEqual([
        [2, 'nack'],
        [3, 'nack'],
        [1, 'ack'],
      ]);
  });

  test('the node from a handler ends at its deadline, and nothing is acknowledged that was not handled', async () => {
    const { node, send, settled, events } = await receiving();
    const closed = deferred<void>();
    await node.subscribe(
      work,
      async () => {
        await node.close({ deadlineMs: 20 });
        closed.resolve();
        throw new Error('too late to be told');
      },
      { group: 'g' },
    );
    for (const n of [1, 2]) send(n);
    await closed.promise;
    await expect
      .poll(() => settled)
      .toEqual([
        [2, 'nack'],
        [1, 'nack'],
      ]);
    expect(events.filter((event) => event.type === 'handler-error')).toEqual([]);
  });

  test('what comes while it is under way goes back unhandled', async () => {
    const { node, send, settled } = await receiving();
    const gate = deferred<void>();
    const seen: number[] = [];
    const subscriber = await node.subscribe(
      work,
      async ({ n }) => {
        seen.push(n);
        await gate.promise;
      },
      { group: 'g' },
    );
    send(1);
    const closed = subscriber.close();
    send(2);
    gate.resolve();
    await closed;
    expect(seen).toEqual([1]);
    expect(settled).toEqual([
      [2, 'nack'],
      [1, 'ack'],
    ]);
  });

  test('of an intake that fails is told, and its iterator ends all the same', async () => {
    const transport: Transport = Object.assign(memory(), {
      subscribe: async () => ({ close: () => Promise.reject(new Error('no such subscription')) }),
    });
    const node = await new Node({ transport }).start();
    open.push(node);
    const messages = await node.subscribe(work, { group: 'g' });
    const reading = messages[Symbol.asyncIterator]().next();
    await expect(messages.close()).rejects.toThrow('no such subscription');
    expect(await reading).toEqual({ done: true, value: undefined });
    await node.close();
  });
});

describe('at most once', () => {
  const numbers = topic('work', z.object({ n: z.number() }));

  test('an iterator that lags says so once per burst', async () => {
    const { node, send, events } = await receiving();
    const subscriber = await node.subscribe(numbers, { maxInFlight: 2 });
    const overflows = () => events.filter((event) => event.type === 'overflow').length;
    for (let n = 0; n < 6; n++) send(n);
    expect([subscriber.dropped, overflows()]).toEqual([4, 1]);
    const messages = subscriber[Symbol.asyncIterator]();
    await messages.next();
    await messages.next();
    for (let n = 6; n < 12; n++) send(n);
    expect([subscriber.dropped, overflows(), node.counters.dropped]).toEqual([8, 2, 8]);
  });

  test('what a transport counts is settled too when it is dropped', async () => {
    const { node, send, settled } = await receiving();
    const gate = deferred<void>();
    await node.subscribe(numbers, () => gate.promise, { maxInFlight: 1 });
    for (const n of [1, 2, 3]) send(n);
    expect(settled).toEqual([[2, 'reject']]);
    gate.resolve();
    await expect.poll(() => settled.length).toBe(3);
  });
});

describe('a subscription the broker does not confirm', () => {
  async function hanging() {
    const confirmed = deferred<void>();
    const close = vi.fn(async () => {});
    const hang = async () => {
      await confirmed.promise;
      return { close };
    };
    const node = await new Node({
      transport: Object.assign(memory(), { subscribe: hang, serve: hang }) satisfies Transport,
    }).start();
    open.push(node);
    return { node, confirmed, close };
  }

  test.each(['subscribe', 'serve'] as const)(
    '%s ends by deadline, by signal, and with the node; confirmed later, it is closed',
    async (what) => {
      const { node, confirmed, close } = await hanging();
      const { rpc, anything } = await import('../index.js');
      const make = (options: { timeoutMs?: number; signal?: AbortSignal }) =>
        what === 'subscribe'
          ? node.subscribe(work, () => {}, { group: 'g', ...options })
          : node.serve(rpc('a', { request: anything, response: anything }), () => 1, options);
      await expect(make({ timeoutMs: 5 })).rejects.toMatchObject({
        code: 'TIMEOUT',
        message: expect.stringContaining(what === 'subscribe' ? 'subscription to work' : 'service at a'),
      });
      await expect(make({ signal: AbortSignal.abort(new Error('why')) })).rejects.toMatchObject({
        code: 'ABORTED',
        cause: { message: 'why' },
      });
      const pending = expect(make({})).rejects.toMatchObject({ code: 'CLOSED' });
      await node.close({ deadlineMs: 50 });
      await pending;
      confirmed.resolve();
      await expect.poll(() => close.mock.calls.length).toBe(2);
    },
  );
});
