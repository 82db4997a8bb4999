import { anything, literal, MemoryBroker, memory, Node, rpc, topic } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HbotClient, isKnownEvent, ManualClock, SimulatedBot, type SimulatedBotOptions } from '../index.js';

let broker: MemoryBroker;
let node: Node;
const open: { close(): Promise<unknown> }[] = [];
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  open.push(resource);
  return resource;
};
const simulate = async (options: Partial<SimulatedBotOptions> = {}) =>
  keep(await SimulatedBot.start({ transport: () => memory({ broker }), ...options } as SimulatedBotOptions));
const client = async (id = 'testbot') => keep(await HbotClient.open(node, { id, timeoutMs: 2_000 }));
/** What is on the wire, as text, stream by stream. */
const record = async () => {
  const heard: { stream: string; text: string }[] = [];
  await node.subscribe(topic(literal('hbot/testbot/+'), anything), (_, { address, payload }) => {
    heard.push({ stream: address.split('/').at(-1) ?? '', text: new TextDecoder().decode(payload) });
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

describe('the seed profile answers as the first description prints', () => {
  const commands: [command: string, data: string, reply: string][] = [
    ['start', '{}', '{"status":200,"msg":""}'],
    ['stop', '{}', '{"status":200,"msg":""}'],
    ['config', '{"params": []}', '{"changes":[],"status":200,"msg":""}'],
    [
      'config',
      '{"params": [["mqtt_bridge.mqtt_autostart", 1]]}',
      '{"changes":[["mqtt_bridge.mqtt_autostart",1]],"status":200,"msg":""}',
    ],
    [
      'config',
      '{"params": [["mqtt_bridge.mqtt_autostart", 1], ["mqtt_bridge.mqtt_ssl", 1]]}',
      '{"changes":[["mqtt_bridge.mqtt_autostart",1],["mqtt_bridge.mqtt_ssl",1]],"status":200,"msg":""}',
    ],
    ['import', '{"strategy": "conf_liquidity_mining_1"}', '{"status":200,"msg":""}'],
    ['history', '{}', '{"status":200,"msg":"","trades":[]}'],
    [
      'balance/limit',
      '{"exchange": "kucoin", "asset": "USDT", "amount": 100}',
      '{"status":200,"msg":"","data":null}',
    ],
    ['balance/paper', '{"asset": "USDT", "amount": 100}', '{"status":200,"msg":"","data":null}'],
  ];

  it('in that order, on a bot that has just booted', async () => {
    await simulate();
    for (const [command, data, reply] of commands) {
      const contract = rpc(literal(`hbot/testbot/${command}`), { request: anything, response: anything });
      expect(JSON.stringify(await node.client(contract).call(JSON.parse(data))), command).toBe(reply);
    }
  });

  it.each(commands)('%s %s alone', async (command, data, reply) => {
    await simulate();
    const contract = rpc(literal(`hbot/testbot/${command}`), { request: anything, response: anything });
    expect(JSON.stringify(await node.client(contract).call(JSON.parse(data)))).toBe(reply);
  });
});

describe('a lively bot', () => {
  it('has an event, a log line and a notification within the first second, and a heartbeat at once', async () => {
    const heard = await record();
    const clock = new ManualClock();
    await simulate({ clock });
    clock.advance(1_000);
    await expect
      .poll(() => new Set(heard.map(({ stream }) => stream)))
      .toEqual(new Set(['hb', 'status_updates', 'log', 'notify', 'events', 'performance']));
    const types = heard.filter(({ stream }) => stream === 'events').map(({ text }) => JSON.parse(text).type);
    expect(types).toEqual(['BuyOrderCreated', 'OrderFilled', 'BuyOrderCompleted']);
  });

  it('every order goes Created, Filled, Completed (or ends otherwise), its fills add up, and all events are known', async () => {
    const clock = new ManualClock();
    const seed = await simulate({ clock, seed: 7 });
    const c = await client();
    const orders = new Map<string, string[]>();
    const filled = new Map<string, number>();
    let unknown = 0;
    let seen = 0;
    await c.events((event) => {
      seen++;
      if (!isKnownEvent(event) || !('order_id' in event.data)) return void unknown++;
      const { order_id } = event.data;
      orders.set(order_id, [...(orders.get(order_id) ?? []), event.type.replace(/Buy|Sell/, '')]);
      if (event.type === 'OrderFilled') filled.set(order_id, (filled.get(order_id) ?? 0) + event.data.amount);
      if (event.type === 'BuyOrderCompleted' || event.type === 'SellOrderCompleted') {
        expect(event.data.base_asset_amount).toBeCloseTo(filled.get(order_id) ?? 0, 6);
      }
      return undefined;
    });
    for (let i = 0; i < 120; i++) {
      clock.advance(5_000);
      await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    }
    await c.stop();
    const before = seen;
    clock.advance(60_000);
    expect(seed.trading).toBe(false);
    expect(seen).toBe(before);
    expect(unknown).toBe(0);
    const lives = new Set([...orders.values()].map((life) => life.join(' ')));
    expect(lives.has('OrderCreated OrderFilled OrderCompleted')).toBe(true);
    expect(lives.has('OrderCreated OrderFilled OrderFilled OrderCompleted')).toBe(true);
    expect(lives.has('OrderCreated OrderCancelled')).toBe(true);
    expect(lives.has('OrderCreated OrderFailure')).toBe(true);
    for (const life of lives)
      expect(life).toMatch(/^OrderCreated( OrderFilled){0,2} Order(Completed|Cancelled|Failure)$/);
  });

  it('is the same for the same seed and clock, and another for another', async () => {
    const run = async (seed: number) => {
      broker = new MemoryBroker();
      node = keep(await new Node({ transport: memory({ broker }) }).start());
      const heard = await record();
      const clock = new ManualClock();
      const bot = await simulate({ seed, clock });
      clock.advance(30_000);
      await bot.close();
      await expect.poll(() => heard.filter(({ text }) => text.includes('offline'))).toHaveLength(1);
      return heard;
    };
    const first = await run(1);
    expect(first.length).toBeGreaterThan(50);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  it('trades at once when it is started, and its history has what was traded', async () => {
    const clock = new ManualClock();
    await simulate({ clock });
    const c = await client();
    await c.stop();
    await expect(c.status()).rejects.toMatchObject({ reason: 'not-running' });
    await c.importStrategy('conf_pmm');
    await c.start();
    await expect(c.start()).rejects.toMatchObject({ reason: 'already-running' });
    clock.advance(1_000);
    expect((await c.status()).msg).toContain('conf_pmm');
    const { trades } = await c.history();
    expect(trades).toMatchObject([{ symbol: 'BTC-USDT', quantity: '0.5', trade_type: 'BUY' }]);
    expect(trades[0]?.price).toMatch(/^\d+\.\d*$/);
  });

  it('begins anew when it is started, so that the first order comes at once', async () => {
    const clock = new ManualClock();
    await simulate({ clock });
    clock.advance(1_000);
    const c = await client();
    const created: number[] = [];
    await c.events((event) => {
      if (event.type === 'BuyOrderCreated') created.push(event.data.amount);
    });
    await c.start();
    clock.advance(100);
    await expect.poll(() => created).toEqual([0.5]);
  });

  it('has as much history as it is asked for', async () => {
    const clock = new ManualClock();
    await simulate({ clock });
    const c = await client();
    clock.advance(600_000);
    const count = async (days: number) => (await c.history({ days })).trades.length;
    const all = await count(0);
    const last = await count(300 / 86_400);
    expect(all).toBeGreaterThan(100);
    expect(last).toBeGreaterThan(0);
    expect(last).toBeLessThan(all);
    expect(await count(1)).toBe(all);
    expect(await count(-1)).toBe(all);
  });

  it.each([
    ['cancels its open orders when it stops', {}, 1],
    ['leaves them when it is told to', { skipOrderCancellation: true }, 0],
  ])('%s', async (_, options, cancelled) => {
    const bot = await simulate({ clock: new ManualClock(), running: false });
    const c = await client();
    await c.start();
    const seen: string[] = [];
    await c.events(({ type }) => void seen.push(type));
    await c.logs(({ msg }) => void seen.push(msg));
    bot.placeOrder('BUY', 'LIMIT', 0.1);
    await c.stop(options);
    await expect.poll(() => seen).toContain('Hummingbot stopped.');
    expect(seen.filter((type) => type === 'OrderCancelled')).toHaveLength(cancelled);
  });

  it('buys when an external event says so', async () => {
    const clock = new ManualClock();
    await simulate({ clock, profile: '2.18', running: true });
    const c = await client();
    const bought: number[] = [];
    await c.events((event) => {
      if (event.type === 'BuyOrderCompleted') bought.push(event.data.base_asset_amount);
    });
    await c.sendExternalEvent('order.market', { data: { type: 'buy', amount: '0.123' } });
    const advance = () => {
      clock.advance(50);
      return bought;
    };
    await expect.poll(advance).toContain(0.123);
  });
});

describe('the bytes are those of Hummingbot', () => {
  it('negative integers as strings, slashes escaped, milliseconds in RPC headers', async () => {
    const heard = await record();
    const clock = new ManualClock();
    await simulate({ clock });
    clock.advance(500);
    await expect
      .poll(() => heard.find(({ stream }) => stream === 'notify')?.text)
      .toContain('"seq":0,"timestamp":"-1"');
    expect(heard.find(({ stream }) => stream === 'events')?.text).toContain(
      '"order_id":"buy:\\/\\/BTC-USDT\\/',
    );
  });

  it('the real profiles are silent on notify', async () => {
    const heard = await record();
    const clock = new ManualClock();
    await simulate({ clock, profile: '2.13', running: true });
    clock.advance(20_000);
    await expect
      .poll(() => heard.filter(({ stream }) => stream === 'performance').length)
      .toBeGreaterThan(15);
    expect(heard.filter(({ stream }) => stream === 'notify')).toEqual([]);
    expect(heard.find(({ stream }) => stream === 'performance')?.text).toMatch(
      /"performance":\{.*"custom_info":/,
    );
  });
});
