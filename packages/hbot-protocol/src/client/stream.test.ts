import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryBroker, memory, Node } from '@commlib/core';
import { describe, expect, it } from 'vitest';
import { HbotBridge, HbotClient } from '../index.js';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

describe('a stream of a bot with dots in its id, read for long', () => {
  it('keeps no message that was read, although one of its two spellings never brings any', async () => {
    const broker = new MemoryBroker();
    const bridge = new HbotBridge({ id: 'bot.one', transport: () => memory({ broker }) });
    await bridge.start();
    await using node = await new Node({ transport: memory({ broker }) }).start();
    await using client = await HbotClient.open(node, { id: 'bot.one' });
    await using logs = await client.logs();
    const read: WeakRef<object>[] = [];
    const reading = (async () => {
      for await (const record of logs) read.push(new WeakRef(record));
    })();
    for (let i = 0; i < 200; i++) await bridge.publish.log(`line ${i}`);
    const kept = () => {
      gc();
      return read.slice(0, 150).filter((reference) => reference.deref() !== undefined).length;
    };
    await expect.poll(() => read.length).toBe(200);
    await expect.poll(kept).toBe(0);
    await bridge.close();
    await client.close();
    await reading;
  });
});
