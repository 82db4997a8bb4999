import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Deadlines } from './deadlines.js';
import { type Deferred, deferred } from './deferred.js';
import { EventStream } from './event-stream.js';
import { Lane } from './lane.js';

describe('deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('each expires in its time, whatever the order they were made in', () => {
    const deadlines = new Deadlines();
    const expired: string[] = [];
    deadlines.after(50, () => expired.push('50'));
    deadlines.after(10, () => expired.push('10'));
    vi.advanceTimersByTime(5);
    deadlines.after(10, () => expired.push('15'));
    vi.advanceTimersByTime(6);
    expect(expired).toEqual(['10']);
    vi.advanceTimersByTime(100);
    expect(expired).toEqual(['10', '15', '50']);
  });

  test('a cancelled one never does, and many cost one timer', () => {
    const deadlines = new Deadlines();
    const expired: number[] = [];
    const made = Array.from({ length: 1000 }, (_, i) => deadlines.after(20, () => expired.push(i)));
    expect(vi.getTimerCount()).toBe(1);
    for (const [i, deadline] of made.entries()) if (i % 2 === 0) deadline.cancel();
    made[1]?.cancel();
    made[1]?.cancel();
    made[999]?.cancel();
    vi.advanceTimersByTime(100);
    expect(expired.length).toBe(498);
    expect(expired).toEqual([...expired].sort((a, b) => a - b));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a duration nobody uses any more is forgotten, and the left-over time of a call is no new one', () => {
    const deadlines = new Deadlines();
    for (let i = 0; i < 100; i++) deadlines.after(20 + i / 100, () => {}).cancel();
    expect(deadlines.durations).toBe(2);
    for (let ms = 100; ms < 150; ms++) deadlines.after(ms, () => {});
    expect(deadlines.durations).toBe(52);
    vi.advanceTimersByTime(200);
    expect([deadlines.durations, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test('a wait without end never ends, and costs nothing meanwhile', () => {
    const deadlines = new Deadlines();
    deadlines.after(Number.POSITIVE_INFINITY, () => expect.unreachable());
    vi.advanceTimersByTime(100 * 24 * 3600 * 1000);
    expect(vi.getTimerCount()).toBe(1);
    deadlines.clear();
  });

  test('clear() forgets them all', () => {
    const deadlines = new Deadlines();
    deadlines.after(20, () => expect.unreachable());
    deadlines.clear();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(100);
  });
});

test('whoever waits keeps the process alive until he is told, and no longer', async () => {
  const deadlines = new Deadlines();
  const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;
  const before = timers();
  const first = deadlines.after(60_000, () => {});
  expect(timers()).toBe(before + 1);
  first.cancel();
  expect(timers()).toBe(before);
  deadlines.after(60_000, () => {});
  expect(timers()).toBe(before + 1);
  deadlines.clear();
  expect(timers()).toBe(before);
});

describe('lane', () => {
  interface Item {
    readonly key: string;
    readonly n: number;
    readonly done: Promise<void>;
    release(): void;
  }

  function item(key: string, n: number): Item {
    let release = () => {};
    const done = new Promise<void>((resolve) => {
      release = resolve;
    });
    return { key, n, done, release };
  }

  test('one at a time, in order', async () => {
    const begun: number[] = [];
    const items = [0, 1, 2].map((n) => item('k', n));
    const lane = new Lane<Item>({
      concurrency: 1,
      keyOf: (i) => i.key,
      run: (i) => {
        begun.push(i.n);
        return i.done;
      },
    });
    for (const i of items) lane.push(i);
    expect(begun).toEqual([0]);
    for (const i of items) i.release();
    await lane.idle();
    expect(begun).toEqual([0, 1, 2]);
  });

  test('with concurrency, keys run side by side and each in order', async () => {
    const begun: string[] = [];
    const items = [item('a', 1), item('a', 2), item('b', 1), item('a', 3), item('b', 2), item('c', 1)];
    const lane = new Lane<Item>({
      concurrency: 2,
      keyOf: (i) => i.key,
      run: (i) => {
        begun.push(i.key + i.n);
        return i.done;
      },
    });
    for (const i of items) lane.push(i);
    expect(begun).toEqual(['a1', 'b1']);
    items[2]?.release();
    await expect.poll(() => begun).toEqual(['a1', 'b1', 'c1']);
    for (const i of items) i.release();
    await lane.idle();
    const order = (key: string) => begun.filter((b) => b.startsWith(key));
    expect([order('a'), order('b'), order('c')]).toEqual([['a1', 'a2', 'a3'], ['b1', 'b2'], ['c1']]);
  });

  test('work that does not wait is done at once', () => {
    const seen: number[] = [];
    const lane = new Lane<number>({ concurrency: 1, keyOf: () => undefined, run: (n) => void seen.push(n) });
    for (let n = 0; n < 10_000; n++) lane.push(n);
    expect(seen.length).toBe(10_000);
  });

  test('work that brings more work leaves none behind', () => {
    const seen: number[] = [];
    const lane: Lane<number> = new Lane({
      concurrency: 1,
      keyOf: () => undefined,
      run: (n) => {
        if (n < 5) lane.push(n + 1);
        seen.push(n);
      },
    });
    lane.push(0);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(lane.waiting).toBe(0);
  });

  test('a long queue is worked off without a deep stack, and oldest first', async () => {
    const seen: number[] = [];
    let release = () => {};
    const first = new Promise<void>((resolve) => {
      release = resolve;
    });
    const lane = new Lane<number>({
      concurrency: 1,
      keyOf: () => undefined,
      run: (n) => (n === 0 ? first : void seen.push(n)),
    });
    for (let n = 0; n < 100_000; n++) lane.push(n);
    expect(lane.shift()).toBe(1);
    release();
    await lane.idle();
    expect(seen.length).toBe(99_998);
    expect(seen[0]).toBe(2);
  });
});

describe('any sequence of work, of whatever length and keys', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ push: fc.constantFrom('a', 'b', 'c', undefined) }) },
    { weight: 3, arbitrary: fc.record({ finish: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant({ drop: true as const }) },
  );

  test('is begun once or dropped once, in order per key, and never too much of it at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, limit) => {
          interface Work {
            readonly n: number;
            readonly key: string | undefined;
            readonly done: Deferred<void>;
          }
          const begun: Work[] = [];
          const running = new Set<Work>();
          const dropped: Work[] = [];
          let most = 0;
          const lane = new Lane<Work>({
            concurrency: limit,
            keyOf: ({ key }) => key,
            run(work) {
              if (work.key !== undefined && limit > 1)
                expect([...running].some(({ key }) => key === work.key)).toBe(false);
              begun.push(work);
              running.add(work);
              most = Math.max(most, running.size);
              return work.done.promise.then(() => void running.delete(work));
            },
          });
          let pushed = 0;
          for (const one of steps) {
            if ('push' in one) lane.push({ n: pushed++, key: one.push, done: deferred() });
            else if ('finish' in one) [...running][one.finish]?.done.resolve();
            else {
              const work = lane.shift();
              if (work) dropped.push(work);
            }
            await new Promise((resolve) => setImmediate(resolve));
            expect(lane.waiting).toBe(pushed - begun.length - dropped.length);
          }
          const idle = lane.idle();
          while (running.size > 0) {
            for (const { done } of running) done.resolve();
            await new Promise((resolve) => setImmediate(resolve));
          }
          await idle;
          expect(most).toBeLessThanOrEqual(limit);
          const order = (a: Work, b: Work) => a.n - b.n;
          expect([...begun, ...dropped].sort(order).map(({ n }) => n)).toEqual([...Array(pushed).keys()]);
          for (const key of ['a', 'b', 'c']) {
            const mine = begun.filter((work) => work.key === key);
            expect(mine).toEqual([...mine].sort(order));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('event stream', () => {
  test('every reader gets every event from when it began, then the end', async () => {
    const stream = new EventStream<number>();
    const early = stream.read();
    stream.emit(1);
    const late = stream.read();
    stream.emit(2);
    stream.end();
    expect(await all(early)).toEqual([1, 2]);
    expect(await all(late)).toEqual([2]);
    expect(await all(stream.read())).toEqual([]);
  });
});

describe('a reader of events', () => {
  test('may ask several times at once', async () => {
    const stream = new EventStream<number>();
    const reader = stream.read();
    const three = Promise.all([reader.next(), reader.next(), reader.next()]);
    for (const n of [1, 2]) stream.emit(n);
    stream.end();
    expect((await three).map(({ value }) => value)).toEqual([1, 2, undefined]);
  });

  test('that lags keeps the newest, and is told how many it lost', async () => {
    const stream = new EventStream<number | string>((lost) => `${lost} lost`);
    const reader = stream.read();
    for (let n = 0; n < 1500; n++) stream.emit(n);
    stream.end();
    const seen = await all(reader);
    expect([seen.length, seen[0], seen[1], seen.at(-1)]).toEqual([1001, '500 lost', 500, 1499]);
  });

  test('that leaves is forgotten', async () => {
    const stream = new EventStream<number>();
    const reader = stream.read();
    const waiting = reader.next();
    await reader.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    stream.emit(1);
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });
});

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}
