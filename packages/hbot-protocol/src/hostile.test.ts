/** Whatever arrives, a bot and its client live on, and no command runs by accident. */
import { MemoryBroker, memory, Node, type NodeEvent } from '@commlib/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HbotBridge, HbotClient, streams } from './index.js';

let broker: MemoryBroker;
let attacker: Node;
let bridge: HbotBridge;
let client: HbotClient;
let ran: string[];

beforeEach(async () => {
  broker = new MemoryBroker();
  ran = [];
  attacker = await new Node({ transport: memory({ broker }) }).start();
  bridge = new HbotBridge({
    id: 'b',
    transport: () => memory({ broker }),
    commands: {
      stop: () => void ran.push('stop'),
      import: ({ strategy }) => void ran.push(strategy),
    },
  });
  bridge.onExternalEvent('*', ({ name }) => void ran.push(`event ${name}`));
  await bridge.start();
  client = await HbotClient.open(memory({ broker }), { id: 'b', timeoutMs: 5_000 });
});
afterEach(async () => {
  await client.close();
  await bridge.close();
  await attacker.close();
});

const bytes = (text: string) => new TextEncoder().encode(text);
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.json().map(bytes),
  fc
    .constantFrom(
      '',
      'not json',
      'null',
      '[]',
      '5',
      '{"__proto__":{"x":1}}',
      '{"header":{"reply_to":""},"data":{}}',
      '{"header":null,"data":{}}',
      '{"header":{"reply_to":"hbot/x"}}',
      '{"header":{"reply_to":"hbot/x"},"data":{"strategy":NaN}}',
      '{"header":{"reply_to":"hbot/#"},"data":{"strategy":1}}',
      '{"ts":NaN}',
      '{"ts":"x"}',
      '{"timestamp":1e999,"type":{},"data":[]}',
    )
    .map(bytes),
  fc.constant(new Uint8Array([0x78, 0x9c, 1, 2, 3])),
  fc.constant(new Uint8Array([0xff, 0xfe, 0x7b])),
);

describe('hostile payloads', () => {
  it('on a command of a bot: it does not run, and the bot still answers', async () => {
    const inbox = await attacker.transport.openInbox({ prefix: 'hbot' }, () => {});
    await fc.assert(
      fc.asyncProperty(payloads, (payload) => inbox.send('hbot/b/import', payload, inbox.claim())),
      { numRuns: 300 },
    );
    await inbox.send('hbot/b/stop', bytes('{"skip_order_cancellation":true}'), inbox.claim());
    expect(await client.importStrategy('good')).toEqual({ status: 200, msg: '' });
    expect(ran).toEqual(['good']);
  });

  it('on external events and every stream: the next good message arrives', async () => {
    const heard = new Set<string>();
    await client.heartbeats(({ ts }) => void (ts === 1 && heard.add('hb')));
    await client.events((event) => void (event.type === 'OrderExpired' && heard.add('events')));
    await client.notifications(({ msg }) => void (msg === 'good' && heard.add('notify')));
    await client.logs(({ msg }) => void (msg === 'good' && heard.add('log')));
    await client.statusUpdates(({ msg }) => void (msg === 'offline' && heard.add('status_updates')));
    await client.performance((reports) => void (reports.good?.stopped && heard.add('performance')));
    const dropped: NodeEvent[] = [];
    void (async () => {
      for await (const event of client.node.events()) if (event.type !== 'status') dropped.push(event);
    })();
    const topics = [...Object.keys(streams), 'external/event/x'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...topics), payloads, async (suffix, payload) => {
        await attacker.transport.publish(`hbot/b/${suffix}`, payload);
      }),
      { numRuns: 500 },
    );
    await attacker.transport.publish('hbot/b/hb', bytes('{"ts":1}'));
    await bridge.publish.event('OrderExpired', { order_id: 'a' });
    await bridge.publish.notify('good');
    await bridge.publish.log('good');
    await bridge.publish.performance({ good: {} });
    await client.sendExternalEvent('good');
    await bridge.stop();
    await expect.poll(() => heard).toEqual(new Set(Object.keys(streams)));
    expect(ran).toContain('event good');
    expect(dropped.length).toBeGreaterThan(0);
    expect(dropped.every((event) => event.type === 'dropped')).toBe(true);
  });
});
