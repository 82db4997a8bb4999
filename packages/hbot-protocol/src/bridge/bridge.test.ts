import {
  anything,
  literal,
  MemoryBroker,
  memory,
  Node,
  NotConnectedError,
  rpc,
  StateError,
  topic,
} from '@commlib/core';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { CommandRejected, HbotBridge, type HbotBridgeOptions, HbotClient, ManualClock } from '../index.js';

let broker: MemoryBroker;
let node: Node;
const open: { close(): Promise<unknown> }[] = [];
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  open.push(resource);
  return resource;
};
const bridge = (options: Partial<HbotBridgeOptions> = {}) =>
  keep(new HbotBridge({ id: 'b', transport: () => memory({ broker }), ...options } as HbotBridgeOptions));
/** Everything the bot publishes, in order. */
const listen = async () => {
  const heard: [string, unknown][] = [];
  await node.subscribe(topic(literal('hbot/#'), anything), (data, { address }) => {
    if (!/^hbot\/b\/(start|stop|status)$/.test(address)) heard.push([address, data]);
  });
  return heard;
};

beforeEach(async () => {
  broker = new MemoryBroker();
  node = keep(await new Node({ transport: memory({ broker }) }).start());
});
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

describe('the life of a bridge', () => {
  it('a heartbeat and online at the start, a heartbeat every 10 s, offline at the end; again and again', async () => {
    const heard = await listen();
    const clock = new ManualClock(1_700_000_000_000);
    const b = bridge({ clock });
    await b.start();
    await b.start(); // Nothing.
    expect(b.running).toBe(true);
    clock.advance(25_000);
    await b.restart();
    await b.stop();
    clock.advance(60_000);
    expect(b.running).toBe(false);
    const beat = (s: number) => ['hbot/b/hb', { ts: (1_700_000_000_000 + s * 1_000 + 500) * 1_000 }];
    const status = (s: number, msg: string) => [
      'hbot/b/status_updates',
      { timestamp: 1_700_000_000_000 + s * 1_000, type: 'availability', msg },
    ];
    await expect
      .poll(() => heard)
      .toEqual([
        beat(0),
        status(0, 'online'),
        beat(10),
        beat(20),
        status(25, 'offline'),
        beat(25),
        status(25, 'online'),
        status(25, 'offline'),
      ]);
  });

  it('says that it is back after the broker was away; what was published meanwhile is refused, not kept', async () => {
    const b = bridge();
    await b.start();
    broker.kill();
    await expect(b.publish.notify('lost')).rejects.toMatchObject({ code: 'NOT_CONNECTED' });
    const before = b.node?.counters.published ?? 0;
    broker.restore();
    await expect.poll(() => b.node?.counters.published).toBe(before + 2); // hb and online
  });

  it('on a node of somebody else it leaves that node running', async () => {
    const b = bridge({ node, transport: undefined } as Partial<HbotBridgeOptions>);
    await b.start();
    await b.stop();
    expect(node.status.state).toBe('ready');
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    await expect(c.stop({}, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'NO_REPLY' });
  });

  it('a start that fails leaves nothing behind on a node that lives on', async () => {
    const { transport } = node;
    const serve = transport.serve.bind(transport);
    let letIt = () => {};
    const late = new Promise<void>((resolve) => {
      letIt = resolve;
    });
    let opened = 0;
    let closed = 0;
    vi.spyOn(transport, 'serve').mockImplementation(async (address, ...rest) => {
      if (address === 'hbot/b/stop') throw new StateError('no permission');
      if (address === 'hbot/b/status') await late; // Served after the other has failed.
      const intake = await serve(address, ...rest);
      opened++;
      return { close: (options) => intake.close(options).finally(() => closed++) };
    });
    const b = bridge({ node, transport: undefined } as Partial<HbotBridgeOptions>);
    const started = b.start();
    const failed = expect(started).rejects.toThrow('no permission');
    await expect.poll(() => opened).toBeGreaterThan(3);
    letIt();
    await failed;
    await expect.poll(() => closed).toBe(opened);
    expect(b.running).toBe(false);
    vi.restoreAllMocks();
    await b.start();
  });

  it('a connection lost right after the start is a matter of reconnecting, not of starting', async () => {
    const errors: unknown[] = [];
    let lose = true;
    node.use({
      publish: async (_context, next) => {
        if (!lose) return next();
        lose = false;
        throw new NotConnectedError('not connected');
      },
    });
    const b = bridge({
      node,
      transport: undefined,
      onError: (error) => errors.push(error),
    } as Partial<HbotBridgeOptions>);
    await b.start();
    expect(b.running).toBe(true);
    expect(errors).toMatchObject([{ code: 'NOT_CONNECTED' }]);
  });

  it('an endless pause between heartbeats is not taken for a short one', async () => {
    const heard = await listen();
    await bridge({ heartbeatMs: Number.POSITIVE_INFINITY }).start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(heard.filter(([address]) => address === 'hbot/b/hb')).toHaveLength(1);
  });

  it('what is published while it is stopped goes nowhere', async () => {
    await bridge().publish.notify('into the void');
  });
});

describe('commands', () => {
  const client = async () => keep(await HbotClient.open(node, { id: 'b', timeoutMs: 2_000 }));

  it('reach their handlers with every default filled in', async () => {
    const b = bridge({
      commands: {
        start: (request) => {
          expectTypeOf(request.script).toEqualTypeOf<string | null>();
          expect(request).toEqual({
            log_level: null,
            script: 's',
            conf: null,
            v2_conf: null,
            is_quickstart: false,
            async_backend: false,
          });
        },
        status: async () => ({ msg: 'all well' }),
        history: () => ({ trades: [] }),
        'balance/paper': ({ amount }, { address }) => ({ data: `${address} ${amount}` }),
      },
    });
    await b.start();
    const c = await client();
    expect(await c.start({ script: 's' })).toEqual({ status: 200, msg: '' });
    expect(await c.status()).toEqual({ status: 200, msg: 'all well', data: '' });
    expect(await c.history()).toEqual({ status: 200, msg: '', trades: [] });
    expect((await c.balancePaper({ asset: 'X', amount: 2 })).data).toBe('hbot/b/balance/paper 2');
  });

  it('answers have their fields in the order of real bots', async () => {
    await bridge({ commands: { config: () => ({ status: 400, msg: 'm', changes: [['a', 1]] }) } }).start();
    const raw = node.client(rpc(literal('hbot/b/config'), { request: anything, response: anything }));
    expect(JSON.stringify(await raw.call({}))).toBe(
      '{"changes":[["a",1]],"config":{},"status":400,"msg":"m"}',
    );
  });

  it('a refusal is a 400, an accident too, and is reported; without a handler nobody waits in vain', async () => {
    const errors: unknown[] = [];
    const crash = new TypeError('oops');
    const b = bridge({
      onError: (error) => errors.push(error),
      commands: {
        start: () => {
          throw new CommandRejected('No strategy is currently running!');
        },
        'balance/limit': () => Promise.reject(crash),
      },
    });
    await b.start();
    const c = await client();
    await expect(c.start()).rejects.toMatchObject({ status: 400, reason: 'not-running' });
    expect(errors).toEqual([]);
    const limit = { exchange: 'e', asset: 'a', amount: 1 };
    expect(await c.request('balance/limit', limit)).toEqual({ status: 400, msg: 'oops', data: '' });
    expect(errors).toEqual([crash]);
    expect(await c.request('status', {})).toMatchObject({
      status: 400,
      msg: expect.stringContaining('not supported'),
    });
    await expect(c.commandShortcuts([], { timeoutMs: 30 })).rejects.toMatchObject({ code: 'NO_REPLY' });
  });

  it('invalid data is not executed, and our own clients are told why', async () => {
    let runs = 0;
    await bridge({ commands: { import: () => void runs++ } }).start();
    const raw = node.client(rpc(literal('hbot/b/import'), { request: anything, response: anything }));
    await expect(raw.call({ strategy: 5 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
    expect(runs).toBe(0);
  });
});

describe('gates', () => {
  it('each closes one thing', async () => {
    const heard = await listen();
    const b = bridge({
      gates: { commands: false, events: false, notifier: false, logger: false, externalEvents: false },
      commands: { stop: () => {} },
    });
    b.onExternalEvent('*', () => {
      throw new Error('heard');
    });
    await b.start();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    await c.sendExternalEvent('x');
    await b.publish.event('OrderExpired', { order_id: 'a' });
    await b.publish.notify('n');
    await b.publish.log('l');
    await expect(c.stop({}, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'NO_REPLY' });
    expect(heard.map(([address]) => address)).toEqual([
      'hbot/b/hb',
      'hbot/b/status_updates',
      'hbot/b/external/event/x',
    ]);
  });
});

describe('external events', () => {
  it('go to those who listen for their name; one who stopped hears no more', async () => {
    const b = bridge();
    const seen: string[] = [];
    const stop = b.onExternalEvent('a/b', ({ name }) => void seen.push(`exact ${name}`));
    b.onExternalEvent('*', ({ name, data }) => void seen.push(`all ${name} ${JSON.stringify(data)}`));
    await b.start();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    await c.sendExternalEvent('a.b', { data: { n: 1 } });
    await expect.poll(() => seen).toEqual(['exact a.b', 'all a.b {"n":1}']);
    stop();
    await c.sendExternalEvent('a.b');
    await expect.poll(() => seen.slice(2)).toEqual(['all a.b {}']);
  });

  it('a handler that fails keeps none from the others', async () => {
    const b = bridge();
    const seen: string[] = [];
    b.onExternalEvent('a', () => {
      throw new Error('oops');
    });
    b.onExternalEvent('a', () => void seen.push('second'));
    b.onExternalEvent('*', () => void seen.push('all'));
    await b.start();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    await c.sendExternalEvent('a');
    await expect.poll(() => seen).toEqual(['second', 'all']);
  });

  it('one that the broker kept, or that is none, is not believed', async () => {
    const stale = node.publisher(topic(literal('hbot/b/external/event/x'), anything), { retain: true });
    await stale.publish({ data: {} });
    const b = bridge();
    const seen: string[] = [];
    b.onExternalEvent('*', ({ name }) => void seen.push(name));
    await b.start();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    await node.publisher(topic(literal('hbot/b/external/event/array'), anything)).publish([1]);
    await c.sendExternalEvent('good');
    await expect.poll(() => seen).toEqual(['good']);
  });
});

describe('types', () => {
  it('the data of an event is checked by its type', () => {
    const b = bridge();
    // @ts-expect-error OrderExpired has an order_id
    void b.publish.event('OrderExpired', {});
    // @ts-expect-error no such event; customEvent takes it
    void b.publish.event('Teleported', {});
  });
});
