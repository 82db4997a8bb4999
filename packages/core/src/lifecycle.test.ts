import { describe, expect, test } from 'vitest';
import { anything, CommlibError, MemoryBroker, memory, Node, topic } from './index.js';

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

test('errors are recognised by brand and code, and keep their cause', () => {
  const error = new CommlibError('X', 'words', { cause: new Error('why'), context: { a: 1 } });
  expect(CommlibError.is(error)).toBe(true);
  expect(CommlibError.is(error, 'X')).toBe(true);
  expect(CommlibError.is(error, 'Y')).toBe(false);
  expect(CommlibError.is(new Error('x'))).toBe(false);
  expect(CommlibError.is(null)).toBe(false);
  expect(error).toMatchObject({ name: 'CommlibError', cause: { message: 'why' }, context: { a: 1 } });
});
