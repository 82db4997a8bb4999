import { describe, expect, test, vi } from 'vitest';
import {
  anything,
  CommlibError,
  ConnectionError,
  type ConnectOptions,
  MemoryBroker,
  memory,
  Node,
  rpc,
  topic,
} from './index.js';
import { deferred } from './util/deferred.js';

const any = topic('x', anything);

describe('a node', () => {
  test('must be started before it has endpoints, and only once', async () => {
    const node = new Node({ transport: memory() });
    expect(() => node.publisher(any)).toThrow(expect.objectContaining({ code: 'WRONG_STATE' }));
    await node.start();
    await expect(node.start()).rejects.toMatchObject({ code: 'WRONG_STATE' });
    await node.close();
    await node.close();
    await expect(node.start()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('that cannot connect says so and is closed', async () => {
    const broker = new MemoryBroker();
    broker.kill();
    const node = new Node({ transport: memory({ broker }) });
    await expect(node.start({ failFast: true })).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(node.status.state).toBe('closed');
  });

  test("has commlib's name: dashes become underscores, none is 32 hex digits", () => {
    expect(new Node({ transport: memory(), name: 'my-node' }).name).toBe('my_node');
    expect(new Node({ transport: memory() }).name).toMatch(/^[0-9a-f]{32}$/);
  });

  test('beats at start and then at its interval, in nanoseconds', async () => {
    const broker = new MemoryBroker();
    const watcher = await new Node({ transport: memory({ broker }) }).start();
    const beats = await watcher.subscribe(topic('heart.heartbeat', anything));
    const node = await new Node({
      transport: memory({ broker }),
      name: 'heart',
      heartbeat: { intervalMs: 5 },
    }).start();
    const seen: string[] = [];
    for await (const { payload } of beats) {
      seen.push(new TextDecoder().decode(payload));
      if (seen.length === 3) break;
    }
    for (const beat of seen) expect(beat).toMatch(/^\{"ts":\d{19}\}$/);
    await node.close();
    await watcher.close();
  });

  test('tells what happens to any number of readers', async () => {
    const broker = new MemoryBroker();
    const node = await new Node({ transport: memory({ broker }) }).start();
    const states: string[] = [];
    const reader = (async () => {
      for await (const event of node.events()) if (event.type === 'status') states.push(event.status.state);
    })();
    broker.disconnect();
    await expect.poll(() => node.status.state).toBe('ready');
    await node.close();
    await reader;
    expect(states).toEqual(['reconnecting', 'ready', 'closed']);
  });

  test('lives on when onEvent throws or rejects; readers of the events are told', async () => {
    const broker = new MemoryBroker();
    let calls = 0;
    const node = new Node({
      transport: memory({ broker }),
      onEvent: () => {
        if (++calls % 2 === 0) throw new Error('my logger is broken');
        // In plain JavaScript, or with a cast, it may be an async function.
        return Promise.reject(new Error('my logger is broken, later')) as unknown as undefined;
      },
    });
    const events = node.events();
    await node.start();
    broker.disconnect();
    await expect.poll(() => node.status.state).toBe('ready');
    await node.close();
    const complaints: string[] = [];
    for await (const event of events)
      if (event.type === 'handler-error') complaints.push(`${event.endpoint}: ${event.error.message}`);
    expect(complaints).toContain('onEvent: handler of onEvent failed: my logger is broken');
    expect(complaints).toContain('onEvent: handler of onEvent failed: my logger is broken, later');
    expect(complaints.length).toBe(calls);
  });

  test('does not touch a transport that another node has', async () => {
    const transport = memory();
    const first = await new Node({ transport }).start();
    const second = new Node({ transport });
    await expect(second.start()).rejects.toMatchObject({ code: 'WRONG_STATE' });
    expect(() => second.publisher(any)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    expect(first.status.state).toBe('ready');
    await first.close();
    await expect(new Node({ transport }).start()).rejects.toMatchObject({ code: 'WRONG_STATE' });
  });

  test.each([
    ['a name no topic can have', { name: 'a+b', heartbeat: true }],
    ['an interval that is none', { heartbeat: { intervalMs: Number.NaN } }],
  ])('with %s for its heartbeat is refused and leaves no connection', async (_, options) => {
    const node = new Node({ transport: memory(), ...options });
    await expect(node.start()).rejects.toThrow(/invalid name|intervalMs/);
    expect(node.status.state).toBe('closed');
  });

  test('stops beating when its connection is gone for good', async () => {
    const { transport, fail } = failing();
    const errors: string[] = [];
    const node = await new Node({
      transport,
      heartbeat: { intervalMs: 1 },
      onEvent: (event) => event.type === 'handler-error' && errors.push(event.error.code),
    }).start();
    fail();
    const before = errors.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(errors.length).toBe(before);
    await node.close();
  });

  test('whose connection is gone for good tells everybody who waits, and whoever comes later', async () => {
    const { transport, fail } = failing();
    const node = await new Node({ transport }).start();
    const waiting = (await node.subscribe(any))[Symbol.asyncIterator]().next();
    const behind = await node.subscribe(any);
    const slow = rpc('slow', { request: anything, response: anything });
    await node.serve(slow, () => new Promise(() => {}));
    const call = node.client(slow).call({});
    const client = node.client(rpc('other', { request: anything, response: anything }));
    const told = Promise.all(
      [waiting, call].map((one) => expect(one).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })),
    );
    await new Promise((resolve) => setImmediate(resolve)); // the inbox is open
    fail();
    await told;
    await expect(client.call({})).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' });
    const later = behind[Symbol.asyncIterator]();
    await expect(later.next()).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' });
    expect(await later.next()).toEqual({ done: true, value: undefined });
    await node.close({ deadlineMs: 10 });
  });

  test('closed while it is reconnecting, waits for its handlers all the same', async () => {
    const broker = new MemoryBroker();
    const node = await new Node({ transport: memory({ broker }) }).start();
    const gate = deferred<void>();
    let handled = false;
    await node.subscribe(any, async () => {
      await gate.promise;
      handled = true;
    });
    await node.publisher(any).publish({});
    await expect.poll(() => node.counters.received).toBe(1);
    broker.kill();
    const closed = node.close();
    setTimeout(() => gate.resolve(), 10);
    await closed;
    expect(handled).toBe(true);
  });

  test('closed while it is starting, is closed for good', async () => {
    const broker = new MemoryBroker();
    broker.kill();
    const node = new Node({ transport: memory({ broker }) });
    const started = expect(node.start()).rejects.toMatchObject({ code: 'CLOSED' });
    await expect.poll(() => node.status.state).toBe('connecting');
    await node.close();
    await started;
    broker.restore();
    expect(node.status.state).toBe('closed');
  });

  test('is closed in time by whatever its transport does, and its events end', async () => {
    for (const close of [() => new Promise<void>(() => {}), () => Promise.reject(new Error('no'))]) {
      const node = await new Node({ transport: Object.assign(memory(), { close }) }).start();
      const events = node.events();
      await node.close({ deadlineMs: 1 }).catch(() => {});
      for await (const event of events) expect(event.type).toBe('status');
    }
  });

  test('publishes in order, however long a message takes to compress', async () => {
    const node = await new Node({ transport: memory(), compress: true }).start();
    const seen: number[] = [];
    const sizes = topic('sizes', anything);
    await node.subscribe(sizes, (data) => seen.push(String(data).length));
    const publisher = node.publisher(sizes);
    const noise = Array.from({ length: 300_000 }, () => Math.random().toString(36)[3]).join('');
    await Promise.all([publisher.publish(noise), publisher.publish('x')]);
    await expect.poll(() => seen.length).toBe(2);
    expect(seen).toEqual([noise.length, 1]);
    await node.close();
  });

  test('does not wait longer for a handler than its deadline, and does not call that a failure', async () => {
    const failures: string[] = [];
    const node = await new Node({
      transport: memory(),
      onEvent: (event) => event.type === 'handler-error' && failures.push(event.error.code),
    }).start();
    let told = false;
    await node.subscribe(any, (_, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          told = true;
          reject(signal.reason);
        });
      });
    });
    await node.publisher(any).publish({});
    await expect.poll(() => node.counters.received).toBe(1);
    await node.close({ deadlineMs: 30 });
    expect(told).toBe(true);
    expect(failures).toEqual([]);
  });
});

/** A transport whose connection can end for good. */
function failing() {
  const transport = memory();
  let onEvent: ConnectOptions['onEvent'] = () => {};
  const connect = transport.connect.bind(transport);
  const error = new ConnectionError('NOT_AUTHORIZED', 'banned', { permanent: true });
  let failed = false;
  const broken = Object.assign(transport, {
    connect: (options: ConnectOptions) => {
      onEvent = options.onEvent;
      return connect(options);
    },
    publish: async () => {
      if (failed) throw error;
    },
  });
  return {
    transport: broken,
    fail: () => {
      failed = true;
      onEvent({ type: 'status', status: { state: 'closed', error } });
    },
  };
}

test('a handler that fails is shown on the console when nobody listens to events', async () => {
  const shown = vi.spyOn(console, 'error').mockImplementation(() => {});
  const node = await new Node({ transport: memory() }).start();
  await node.subscribe(any, () => {
    throw new Error('my mistake');
  });
  await node.publisher(any).publish({});
  await expect
    .poll(() => shown.mock.calls)
    .toMatchObject([[expect.stringContaining('my mistake'), { message: 'my mistake' }]]);
  const heard = node.events();
  await node.publisher(any).publish({});
  expect((await heard.next()).value).toMatchObject({ type: 'handler-error' });
  expect(shown.mock.calls.length).toBe(1);
  shown.mockRestore();
  await node.close();
});

test('an answer that a lost connection takes with it is not shown on the console', async () => {
  const shown = vi.spyOn(console, 'error').mockImplementation(() => {});
  const broker = new MemoryBroker();
  const node = await new Node({ transport: memory({ broker }) }).start();
  let asked = 0;
  await node.serve(rpc('gone', { request: anything, response: anything }), () => {
    asked++;
    broker.disconnect();
    return {};
  });
  const request = new TextEncoder().encode('{"header":{"reply_to":"nobody"},"data":{}}');
  await node.transport.publish('gone', request);
  await expect.poll(() => node.status).toMatchObject({ state: 'ready', reconnects: 1 });
  expect(asked).toBe(1);
  expect(shown.mock.calls).toEqual([]);
  shown.mockRestore();
  await node.close();
});

test('errors are recognised by brand and code, and keep their cause', () => {
  const error = new CommlibError('X', 'words', { cause: new Error('why'), context: { a: 1 } });
  expect(CommlibError.is(error)).toBe(true);
  expect(CommlibError.is(error, 'X')).toBe(true);
  expect(CommlibError.is(error, 'Y')).toBe(false);
  expect(CommlibError.is(new Error('x'))).toBe(false);
  expect(CommlibError.is(null)).toBe(false);
  expect(error).toMatchObject({ name: 'CommlibError', cause: { message: 'why' }, context: { a: 1 } });
});
