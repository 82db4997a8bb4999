import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { anything, literal, MemoryBroker, memory, Node, topic } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DiscoverOptions, discover } from '../index.js';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

let broker: MemoryBroker;
let node: Node;
let bots: Node;
let stop: AbortController;

const beat = { ts: Date.now() * 1_000 };
const say = (address: string, data: unknown) =>
  bots.publisher(topic(literal(address), anything)).publish(data);
const status = (msg: string) => ({ timestamp: Date.now(), type: 'availability', msg });
const search = (options: DiscoverOptions = {}) =>
  discover(node, { timeoutMs: 60_000, signal: stop.signal, ...options });

/** Resolves when the search listens: it hears somebody who is no bot. */
async function listening(canary: string): Promise<void> {
  const heard = async () => {
    await say(canary, beat);
    return node.counters.received;
  };
  await expect.poll(heard).toBeGreaterThan(0);
}

/** Says all of it; `heard` of it reach the search. */
async function speak(heard: number, messages: readonly (readonly [string, unknown])[]): Promise<void> {
  const before = node.counters.received;
  for (const [address, data] of messages) await say(address, data);
  await expect.poll(() => node.counters.received).toBe(before + heard);
}

beforeEach(async () => {
  broker = new MemoryBroker();
  stop = new AbortController();
  node = await new Node({ transport: memory({ broker }) }).start();
  bots = await new Node({ transport: memory({ broker }) }).start();
});
afterEach(() => Promise.all([node.close(), bots.close()]));

describe('discovery', () => {
  it('ends when its time is over, whatever the garbage collector takes meanwhile', async () => {
    const collecting = setInterval(gc, 50);
    const ids: string[] = [];
    try {
      for await (const { id } of search({ timeoutMs: 500 })) ids.push(id);
    } finally {
      clearInterval(collecting);
    }
    expect(ids).toEqual([]);
  });

  it('does not wait longer than its time for a broker that is away, and says so; told to stop, it ends at once', async () => {
    vi.spyOn(node.transport, 'subscribe').mockReturnValue(new Promise(() => {}));
    await expect(search({ timeoutMs: 200 }).list()).rejects.toMatchObject({ code: 'TIMEOUT' });
    const found = search().list();
    stop.abort();
    expect(await found).toEqual([]);
    expect(await search().list()).toEqual([]);
  });

  it('finds bots by heartbeat and by status, each once, and nothing else', async () => {
    const found = search().list();
    await listening('hbot/predictions/hb');
    await speak(9, [
      ['hbot/b/hb', beat],
      ['hbot/b/hb', beat],
      ['hbot/a/status_updates', status('online')],
      ['hbot/gone/status_updates', status('online')],
      ['hbot/gone/status_updates', status('offline')],
      ['hbot/bot.two/hb', beat],
      ['hbot/predictions/hb', beat],
      ['hbot/strange/hb', { hello: 1 }],
      ['hbot/strange/hb', [1]],
      ['other/c/hb', beat],
      ['hbot/bot/one/hb', beat],
      ['hbot/predictions/btc_usdt/ML_SIGNALS', { probabilities: [0, 0, 1] }],
    ]);
    stop.abort();
    expect((await found).map(({ id, online, dialect, heardBy }) => [id, online, dialect, heardBy])).toEqual([
      ['a', true, 'auto', 'status_updates'],
      ['b', true, 'auto', 'hb'],
      ['bot.two', true, 'aiomqtt', 'hb'],
      ['gone', false, 'auto', 'status_updates'],
    ]);
  });

  it('finds dotted ids of old bots when it looks deeper', async () => {
    const found = search({ deep: true, namespace: 'desk/x' }).list();
    await listening('desk/x/predictions/hb');
    await speak(5, [
      ['desk/x/bot/one/hb', beat],
      ['desk/x/b/hb', beat],
      ['desk/x/b/log', {}],
      ['desk/x/predictions/a/hb', beat],
      ['desk/x/hb', beat],
    ]);
    stop.abort();
    expect((await found).map(({ id, dialect, namespace }) => [id, dialect, namespace])).toEqual([
      ['b', 'auto', 'desk/x'],
      ['bot.one', 'commlib', 'desk/x'],
    ]);
  });

  it('passes over what no client could be opened for', async () => {
    const found = search({ deep: true }).list();
    await listening('hbot/predictions/hb');
    const payload = new TextEncoder().encode(JSON.stringify(beat));
    await bots.transport.publish('hbot/{id}/hb', payload);
    await speak(2, [
      ['hbot//hb', beat],
      ['hbot/ok/hb', beat],
    ]);
    stop.abort();
    expect((await found).map(({ id }) => id)).toEqual(['ok']);
  });

  it('gives each bot as it is heard; leaving the loop ends it at once', async () => {
    const seen: string[] = [];
    const reading = (async () => {
      for await (const bot of search()) {
        seen.push(bot.id);
        if (seen.length === 2) break;
      }
    })();
    await listening('hbot/predictions/hb');
    for (const id of ['b', 'b', 'a']) await say(`hbot/${id}/hb`, beat);
    await reading;
    expect(seen).toEqual(['b', 'a']);
  });

  it('is over in time, and does not believe what the broker kept', async () => {
    await bots.publisher(topic(literal('hbot/old/hb'), anything), { retain: true }).publish(beat);
    const found = search({ timeoutMs: 50 }).list();
    await expect.poll(() => node.counters.received).toBe(1);
    expect(await found).toEqual([]);
  });

  it('says when it cannot listen', async () => {
    await node.close();
    await expect(search().list()).rejects.toMatchObject({ code: 'CLOSED' });
    const reading = (async () => {
      for await (const _ of search());
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CLOSED' });
    expect(() => discover(node, { namespace: 'a/#' })).toThrow(/invalid name/);
  });
});
