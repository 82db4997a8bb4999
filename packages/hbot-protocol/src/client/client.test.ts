import { anything, literal, MemoryBroker, memory, Node, topic } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { HbotBridge, HbotClient, type HbotClientOptions, type HbotEvent, type HbotStream } from '../index.js';

let broker: MemoryBroker;
const open: { close(): Promise<unknown> }[] = [];
const keep = <T extends { close(): Promise<unknown> }>(resource: T): T => {
  open.push(resource);
  return resource;
};
const connect = async () => keep(await new Node({ transport: memory({ broker }) }).start());
const client = async (options: Partial<HbotClientOptions> = {}) =>
  keep(await HbotClient.open(memory({ broker }), { id: 'b', timeoutMs: 2_000, ...options }));
/** A bot with a dialect. */
const bot = async (id: string, dialect: 'commlib' | 'aiomqtt', heartbeatMs?: number) => {
  const bridge = keep(
    new HbotBridge({
      id,
      dialect,
      heartbeatMs,
      transport: () => memory({ broker }),
      commands: { stop: () => {} },
    }),
  );
  await bridge.start();
  return bridge;
};

beforeEach(() => {
  broker = new MemoryBroker();
});
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

describe('streams', () => {
  it('reach a handler one after the other, with what the broker said about them', async () => {
    const bridge = await bot('b', 'aiomqtt');
    const bot1 = await client();
    const seen: string[] = [];
    await bot1.logs(async ({ msg }, message) => {
      await new Promise((resolve) => setTimeout(resolve, msg === 'first' ? 20 : 0));
      seen.push(`${message.address} ${msg}`);
    });
    await bridge.publish.log('first');
    await bridge.publish.log('second');
    await expect.poll(() => seen).toEqual(['hbot/b/log first', 'hbot/b/log second']);
  });

  it('are async iterables; leaving the loop ends the subscription', async () => {
    const bridge = await bot('b', 'aiomqtt');
    const events = await (await client()).events();
    expectTypeOf(events).toEqualTypeOf<HbotStream<HbotEvent>>();
    await bridge.publish.event('OrderExpired', { order_id: 'a' });
    await bridge.publish.customEvent('TeleportCompleted', { to: 'moon' });
    const seen: string[] = [];
    for await (const event of events) {
      seen.push(event.type === 'Unknown' ? event.wireType : event.type);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['OrderExpired', 'TeleportCompleted']);
    const again = (async () => {
      for await (const _ of events);
    })();
    await expect(again).rejects.toMatchObject({ code: 'WRONG_STATE' });
  });

  it('there are six, each typed', async () => {
    const bridge = await bot('b', 'aiomqtt');
    const c = await client();
    const seen = new Map<string, unknown>();
    await c.heartbeats((beat) => void seen.set('hb', typeof beat.ts));
    await c.notifications(({ msg }) => void seen.set('notify', msg));
    await c.statusUpdates(({ msg }) => void seen.set('status', msg));
    await c.performance(
      (reports) => void seen.set('performance', reports.c?.performance?.realized_pnl_quote),
    );
    await bridge.restart();
    await bridge.publish.notify('hello');
    await bridge.publish.performance({ c: { performance: { realized_pnl_quote: -1 }, custom_info: {} } });
    await expect
      .poll(() => Object.fromEntries(seen))
      .toEqual({ hb: 'number', notify: 'hello', status: 'online', performance: -1 });
  });

  it('end with the client, on a node that lives on', async () => {
    const node = await connect();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    const logs = await c.logs();
    const ended = (async () => {
      for await (const _ of logs);
    })();
    await c.close();
    await ended;
    await expect(c.logs()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(node.status.state).toBe('ready');
  });

  it('a malformed message is dropped and reported; the stream goes on', async () => {
    const node = await connect();
    const c = keep(await HbotClient.open(node, { id: 'b' }));
    const dropped: string[] = [];
    const events = node.events();
    void (async () => {
      for await (const event of events) if (event.type === 'dropped') dropped.push(event.address);
    })();
    const seen: string[] = [];
    await c.logs(({ msg }) => void seen.push(msg));
    const raw = await connect();
    await raw.transport.publish('hbot/b/log', new TextEncoder().encode('{"msg":'));
    await raw.publisher(topic(literal('hbot/b/log'), anything)).publish({ msg: 5 });
    await (await bot('b', 'aiomqtt')).publish.log('good');
    await expect.poll(() => seen).toEqual(['good']);
    expect(dropped).toEqual(['hbot/b/log', 'hbot/b/log']);
  });
});

describe('ids with dots', () => {
  it.each(['commlib', 'aiomqtt'] as const)(
    'a bot of the %s dialect is found, heard and commanded',
    async (dialect) => {
      const c = await client({ id: 'bot.one', namespace: 'hbot' });
      const seen: string[] = [];
      await c.logs(({ msg }, { address }) => void seen.push(`${address} ${msg}`));
      const stopped = c.stop();
      const bridge = await bot('bot.one', dialect); // Comes after the command: it waits for the first heartbeat.
      expect(await stopped).toEqual({ status: 200, msg: '' });
      await bridge.publish.log('hi');
      const place = dialect === 'commlib' ? 'hbot/bot/one' : 'hbot/bot.one';
      await expect.poll(() => seen).toEqual([`${place}/log hi`]);
      expect(c.presence.state).toBe('online');
    },
  );

  it('a bot that is not heard is sent nothing, and the error says so', async () => {
    const c = await client({ id: 'bot.one' });
    await expect(c.stop({}, { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'NO_REPLY',
      possibleReasons: [expect.stringContaining('nothing was sent'), expect.anything()],
    });
  });

  it('with the dialect given nothing is waited for', async () => {
    await bot('bot.one', 'commlib');
    expect(await (await client({ id: 'bot.one', dialect: 'commlib' })).stop()).toEqual({
      status: 200,
      msg: '',
    });
    const wrong = await client({ id: 'bot.one', dialect: 'aiomqtt' });
    await expect(wrong.stop({}, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'NO_REPLY' });
  });
});

describe('external events and script topics', () => {
  it('events arrive under their name, with all fields', async () => {
    const bridge = await bot('b', 'aiomqtt');
    const seen: unknown[] = [];
    bridge.onExternalEvent('order.market', (event) => void seen.push(event));
    bridge.onExternalEvent('*', ({ name }) => void seen.push(name));
    const c = await client();
    await c.sendExternalEvent('order.market', { data: { type: 'buy', amount: '0.1' } });
    await c.sendExternalEvent('order/limit');
    await expect
      .poll(() => seen)
      .toEqual([
        {
          name: 'order.market',
          timestamp: -1,
          sequence: 0,
          type: 'eevent',
          data: { type: 'buy', amount: '0.1' },
        },
        'order.market',
        'order.limit',
      ]);
  });

  it.each(['my-event/x', 'event.x', 'a..b', '', 'a/+', 'a/#', '*', 'a\0b', '{a}'])(
    'the name %j would not arrive as it is, and is refused',
    async (name) => {
      await expect((await client()).sendExternalEvent(name)).rejects.toMatchObject({ code: 'INVALID_NAME' });
    },
  );

  it('so is any name to a bot whose own prefix has "event/"', async () => {
    const c = await client({ namespace: 'my-event' });
    await expect(c.sendExternalEvent('x')).rejects.toThrow(/prefix/);
  });

  it('script topics go both ways, typed by a schema', async () => {
    const bridge = await bot('b', 'aiomqtt');
    const c = await client();
    const out = await c.scriptTopic('probe/out', { schema: z.object({ n: z.number() }) });
    expectTypeOf(out).toEqualTypeOf<HbotStream<{ n: number }>>();
    await bridge.publish.custom('probe/out', { n: 1 });
    for await (const { n } of out) {
      expect(n).toBe(1);
      break;
    }
    const heard: unknown[] = [];
    const node = await connect();
    await node.subscribe(topic(literal('hbot/b/probe/in'), anything), (data) => void heard.push(data));
    await node.subscribe(topic(literal('elsewhere'), anything), (data) => void heard.push(data));
    await c.publishScriptTopic('probe/in', [1]);
    await c.publishScriptTopic('elsewhere', 'x', { prefix: false });
    await expect.poll(() => heard).toEqual([[1], 'x']);
  });

  it('a script topic with dots is heard in both spellings, and sent only when the dialect is known', async () => {
    const bridge = await bot('b', 'commlib');
    const c = await client();
    const seen: unknown[] = [];
    await c.scriptTopic('probe.dotted/out', {}, (data) => void seen.push(data));
    await bridge.publish.custom('probe.dotted/out', 1);
    await expect.poll(() => seen).toEqual([1]);
    await expect(c.publishScriptTopic('probe.dotted/in', 1)).rejects.toThrow(/give the dialect/);
    await (await client({ dialect: 'commlib' })).publishScriptTopic('probe.dotted/in', 1);
  });
});

describe('presence', () => {
  it('follows the bot, by listener and iterator', async () => {
    const c = await client();
    const heard: string[] = [];
    const iterated: string[] = [];
    c.onPresence(({ state }) => heard.push(state));
    const reading = (async () => {
      for await (const { state } of c.presenceChanges()) iterated.push(state);
    })();
    const bridge = await bot('b', 'aiomqtt');
    await expect.poll(() => c.presence.state).toBe('online');
    await bridge.stop();
    await expect.poll(() => c.presence.state).toBe('offline');
    await c.close();
    await reading;
    expect(heard).toEqual(['online', 'offline']);
    expect(iterated).toEqual(heard);
  });

  it('is lost without heartbeats, unknown while we are away, and back with the broker', async () => {
    const bridge = await bot('b', 'aiomqtt', 20);
    const c = await client({ lostAfterMs: 200 });
    await expect.poll(() => c.presence.state).toBe('online');
    broker.kill();
    await expect.poll(() => c.presence.state).toBe('unknown');
    broker.restore();
    await expect.poll(() => c.presence.state).toBe('online');
    await bridge.node?.close(); // Dies without a word.
    await expect.poll(() => c.presence.state).toBe('lost');
  });

  it('a heartbeat that the broker kept says nothing', async () => {
    const node = await connect();
    const hb = node.publisher(topic(literal('hbot/b/hb'), anything), { retain: true });
    await hb.publish({ ts: Date.now() * 1_000 });
    const c = await client();
    const seen: unknown[] = [];
    await c.heartbeats((_, { retained }) => void seen.push(retained));
    await expect.poll(() => seen).toEqual([true]);
    expect(c.presence.state).toBe('unknown');
  });
});

describe('identity', () => {
  it.each([
    { id: '' },
    { id: 'a/+' },
    { id: 'a//b' },
    { id: '{id}' },
    { id: 'b', namespace: '' },
    { id: 'b', namespace: '#' },
  ])('%j is refused', async (options) => {
    await expect(HbotClient.open(memory({ broker }), options)).rejects.toMatchObject({
      code: 'INVALID_NAME',
    });
  });

  it('one slash or dot at the end of a namespace does not count, as in the bot', async () => {
    await bot('b', 'aiomqtt');
    expect(await (await client({ namespace: 'hbot/' })).stop()).toEqual({ status: 200, msg: '' });
  });
});
