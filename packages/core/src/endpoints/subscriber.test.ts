import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  anything,
  commlibPattern,
  type Inbound,
  literal,
  MemoryBroker,
  memory,
  type NameMapping,
  Node,
  type NodeEvent,
  topic,
} from '../index.js';

const open: Node[] = [];
let events: NodeEvent[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function start(broker = new MemoryBroker()): Promise<Node> {
  events = [];
  const node = new Node({ transport: memory({ broker }), onEvent: (event) => events.push(event) });
  open.push(node);
  return node.start();
}
const numbers = topic('numbers', z.object({ n: z.number() }));
const work = topic('work', z.object({ n: z.number() }), { delivery: 'at-least-once' });

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('a handler', () => {
  test('gets one message at a time, in order', async () => {
    const node = await start();
    const seen: number[] = [];
    let running = 0;
    await node.subscribe(numbers, async ({ n }) => {
      expect(++running).toBe(1);
      await Promise.resolve();
      seen.push(n);
      running--;
    });
    for (let n = 0; n < 100; n++) await node.publisher(numbers).publish({ n });
    await expect.poll(() => seen.length).toBe(100);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  test('that throws is reported and goes on', async () => {
    const node = await start();
    const seen: number[] = [];
    await node.subscribe(numbers, ({ n }) => {
      if (n === 1) throw new Error('one');
      seen.push(n);
    });
    for (const n of [0, 1, 2]) await node.publisher(numbers).publish({ n });
    await expect.poll(() => seen).toEqual([0, 2]);
    expect(events.filter((e) => e.type === 'handler-error')).toMatchObject([
      { endpoint: 'numbers', error: { code: 'HANDLER_FAILED', cause: { message: 'one' } } },
    ]);
  });

  test('that is too slow loses the oldest, which is said once and counted', async () => {
    const node = await start();
    const seen: number[] = [];
    const wait = gate();
    const subscriber = await node.subscribe(
      numbers,
      async ({ n }) => {
        seen.push(n);
        await wait.opened;
      },
      { maxInFlight: 3 },
    );
    for (let n = 0; n < 10; n++) await node.publisher(numbers).publish({ n });
    await expect.poll(() => subscriber.dropped).toBe(6);
    wait.open();
    await expect.poll(() => seen).toEqual([0, 7, 8, 9]);
    expect(events.filter((e) => e.type === 'overflow')).toEqual([
      { type: 'overflow', endpoint: 'numbers', dropped: 1 },
    ]);
  });

  test.each([
    ['not JSON', new TextEncoder().encode('{'), 'MALFORMED'],
    ['not UTF-8', Uint8Array.of(0x80), 'MALFORMED'],
    ['of the wrong type', new TextEncoder().encode('{"n":"x"}'), 'INVALID_DATA'],
    ['empty', new Uint8Array(), 'MALFORMED'],
  ])('a message that is %s is reported once, and the next arrives', async (_, payload, code) => {
    const node = await start();
    const subscriber = await node.subscribe(numbers);
    await node.transport.publish('numbers', payload);
    await node.publisher(numbers).publish({ n: 7 });
    for await (const { data } of subscriber) {
      expect(data).toEqual({ n: 7 });
      break;
    }
    expect(events.filter((e) => e.type === 'dropped')).toMatchObject([
      { endpoint: 'numbers', address: 'numbers', error: { code } },
    ]);
  });

  test('several subscribers of one filter report one bad message once, unless they say different things', async () => {
    const node = await start();
    const bad = new TextEncoder().encode('{');
    await node.subscribe(numbers, () => {});
    await node.subscribe(numbers, () => {});
    for (let i = 0; i < 2; i++) await node.transport.publish('numbers', bad);
    await expect.poll(() => events.filter((e) => e.type === 'dropped')).toHaveLength(2);
    await node.subscribe(topic('numbers', z.object({ text: z.string() })), () => {});
    await node.transport.publish('numbers', new TextEncoder().encode('{}'));
    await expect.poll(() => events.filter((e) => e.type === 'dropped')).toHaveLength(4);
    expect(node.counters.dropped).toBe(4);
  });

  test('is waited for when its subscriber is closed, and gets nothing afterwards', async () => {
    const node = await start();
    const wait = gate();
    const begun = gate();
    let handled = 0;
    const subscriber = await node.subscribe(numbers, async () => {
      begun.open();
      await wait.opened;
      handled++;
    });
    await node.publisher(numbers).publish({ n: 1 });
    await begun.opened;
    const closed = subscriber.close();
    await node.publisher(numbers).publish({ n: 2 });
    wait.open();
    await closed;
    expect(handled).toBe(1);
  });
});

describe('an iterator', () => {
  test('keeps the newest messages when it lags', async () => {
    const node = await start();
    const subscriber = await node.subscribe(numbers, { maxInFlight: 2 });
    for (let n = 0; n < 5; n++) await node.publisher(numbers).publish({ n });
    await expect.poll(() => subscriber.dropped).toBe(3);
    const seen: number[] = [];
    for await (const { data } of subscriber) {
      seen.push(data.n);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([3, 4]);
  });

  test('ends when its subscriber or its node is closed', async () => {
    const node = await start();
    const subscriber = await node.subscribe(numbers);
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { data } of subscriber) seen.push(data.n);
    })();
    await node.publisher(numbers).publish({ n: 1 });
    await expect.poll(() => seen).toEqual([1]);
    await node.close();
    await loop;
  });

  test('cannot be had twice, nor beside a handler', async () => {
    const node = await start();
    const subscriber = await node.subscribe(numbers);
    subscriber[Symbol.asyncIterator]();
    expect(() => subscriber[Symbol.asyncIterator]()).toThrow(
      expect.objectContaining({ code: 'WRONG_STATE' }),
    );
    const handled = await node.subscribe(numbers, () => {});
    expect(() => handled[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'WRONG_STATE' }));
  });
});

describe('at least once', () => {
  test('a message whose handler failed comes again, with its attempt', async () => {
    const node = await start();
    const attempts: (number | undefined)[] = [];
    await node.subscribe(
      work,
      (_, { attempt }) => {
        attempts.push(attempt);
        if (attempts.length < 3) throw new Error('not yet');
      },
      { group: 'workers' },
    );
    await node.publisher(work).publish({ n: 1 });
    await expect.poll(() => attempts).toEqual([1, 2, 3]);
  });

  test('a group shares its messages, and what a closed member had is given to another', async () => {
    const broker = new MemoryBroker();
    const [a, b] = [await start(broker), await start(broker)];
    const wait = gate();
    const seen = { a: 0, b: [] as number[] };
    await a.subscribe(
      work,
      () => {
        seen.a++;
        return wait.opened;
      },
      { group: 'g' },
    );
    for (let n = 0; n < 3; n++) await b.publisher(work).publish({ n });
    await expect.poll(() => seen.a).toBe(1);
    await b.subscribe(work, ({ n }) => void seen.b.push(n), { group: 'g' });
    broker.disconnect();
    wait.open();
    await expect.poll(() => new Set(seen.b).size + seen.a).toBeGreaterThanOrEqual(3);
  });

  test('messages sent while nobody is there wait for the group', async () => {
    const broker = new MemoryBroker();
    const node = await start(broker);
    const first = await node.subscribe(work, () => {}, { group: 'g' });
    await first.close();
    await node.publisher(work).publish({ n: 5 });
    const again = await node.subscribe(work, { group: 'g' });
    for await (const { data } of again) {
      expect(data.n).toBe(5);
      break;
    }
  });

  test('an iterator stops the intake at maxInFlight and acknowledges with the next next()', async () => {
    const node = await start();
    const subscriber = await node.subscribe(work, { group: 'g', maxInFlight: 2 });
    for (let n = 0; n < 6; n++) await node.publisher(work).publish({ n });
    await expect.poll(() => node.counters.received).toBe(2);
    const seen: number[] = [];
    for await (const { data } of subscriber) {
      seen.push(data.n);
      if (seen.length === 6) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(subscriber.dropped).toBe(0);
  });

  test('publishing waits for the broker to come back, in a bounded buffer', async () => {
    const broker = new MemoryBroker();
    const node = new Node({ transport: memory({ broker, maxBuffered: 2 }) });
    open.push(node);
    await node.start();
    const subscriber = await node.subscribe(work, { group: 'g' });
    broker.kill();
    await expect(node.publisher(numbers).publish({ n: 0 })).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
    const kept = [1, 2].map((n) => node.publisher(work).publish({ n }));
    await expect(node.publisher(work).publish({ n: 3 })).rejects.toMatchObject({ code: 'BUFFER_FULL' });
    broker.restore();
    await Promise.all(kept);
    const seen: number[] = [];
    for await (const { data } of subscriber) {
      seen.push(data.n);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([1, 2]);
  });

  test('must name a group', async () => {
    const node = await start();
    await expect(node.subscribe(work, () => {})).rejects.toMatchObject({ code: 'WRONG_STATE' });
  });
});

test('a group shares its messages at most once too, also when a member leaves', async () => {
  const node = await start();
  const seen: string[] = [];
  const member = (name: string) =>
    node.subscribe(numbers, ({ n }) => seen.push(`${name}${n}`), { group: 'g' });
  const a = await member('a');
  await member('b');
  for (const n of [1, 2, 3, 4]) await node.publisher(numbers).publish({ n });
  await expect.poll(() => [...seen].sort()).toEqual(['a1', 'a3', 'b2', 'b4']);
  await a.close();
  for (const n of [5, 6]) await node.publisher(numbers).publish({ n });
  await expect.poll(() => seen.slice(4)).toEqual(['b5', 'b6']);
});

describe('options', () => {
  test('what the transport cannot do is an error at creation', async () => {
    const node = await start();
    await expect(node.subscribe(numbers, () => {}, { start: 'earliest' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await expect(node.subscribe(numbers, () => {}, { maxInFlight: 0 })).rejects.toThrow(RangeError);
  });

  test('headers, key and retain travel', async () => {
    const node = await start();
    const publisher = node.publisher(numbers, { retain: true });
    await publisher.publish({ n: 1 }, { headers: { h: 'ü' }, key: 'k' });
    const subscriber = await node.subscribe(numbers);
    for await (const message of subscriber) {
      expect([message.headers, message.key, message.retained]).toEqual([{ h: 'ü' }, 'k', true]);
      break;
    }
  });

  test('where addresses keep their dots, the name says whether those separate levels', async () => {
    // As Redis does.
    const names: NameMapping = {
      address: (name) => name.text,
      filter: (name) => name.text.replaceAll(/[+#]/g, '#'),
      levels: (address, kind) => address.split(kind === 'literal' ? '/' : /[./]/),
    };
    let deliver = (_: string) => {};
    const base = memory();
    const node = new Node({
      transport: Object.assign(base, {
        names,
        capabilities: { ...base.capabilities, exactFilters: false },
        subscribe: async (_filter: string, _options: unknown, on: (message: Inbound) => void) => {
          const before = deliver;
          deliver = (address) => {
            before(address);
            on({ address, payload: new TextEncoder().encode('{}'), retained: false });
          };
          return { close: async () => {} };
        },
      }),
    });
    open.push(node);
    await node.start();
    const seen: unknown[] = [];
    await node.subscribe(topic(literal('bots/{id}/hb'), anything), (_, { params }) => seen.push(params));
    await node.subscribe(topic('bots.{id}.{part}.hb', anything), (_, { params }) => seen.push(params));
    deliver('bots/bot.one/hb');
    deliver('bots/two/hb');
    expect(seen).toEqual([{ id: 'bot.one' }, { id: 'bot', part: 'one' }, { id: 'two' }]);
  });

  test('wildcards and patterns of commlib match', async () => {
    const node = await start();
    const seen: string[] = [];
    for (const name of ['a/+/c', 'a.#', commlibPattern('a.*')] as const) {
      await node.subscribe(topic(name, anything), (_, { address }) => void seen.push(address));
    }
    await node.publisher(topic('a.b.c', anything)).publish({});
    await expect.poll(() => seen).toEqual(['a/b/c', 'a/b/c', 'a/b/c']);
    expect(() => node.publisher(topic('a/+', anything))).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME' }),
    );
  });
});
