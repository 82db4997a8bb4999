import { describe, expect, test } from 'vitest';
import { type Inbound, MemoryBroker, memory, type SubscribeOptions, type Transport } from '../index.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = ({ payload }: Inbound) => new TextDecoder().decode(payload);
const durable: SubscribeOptions = { delivery: 'at-least-once', group: 'g', maxInFlight: 10 };

async function connect(broker: MemoryBroker): Promise<Transport> {
  const transport = memory({ broker });
  await transport.connect({ timeoutMs: 1000, failFast: true, onEvent: () => {} });
  return transport;
}

describe('the in-memory transport keeps its contract', () => {
  test('nothing is delivered after close was called, also what was under way', async () => {
    const transport = await connect(new MemoryBroker());
    const seen: string[] = [];
    for (const options of [{ delivery: 'at-most-once', maxInFlight: 1 } as const, durable]) {
      const intake = await transport.subscribe('a', options, (message) => seen.push(text(message)));
      void transport.publish('a', bytes('1'));
      await intake.close();
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    // The durable group has it still.
    await transport.subscribe('a', durable, (message) => seen.push(text(message)));
    await expect.poll(() => seen).toEqual(['1']);
  });

  test('what was delivered before may be settled after close, which waits for that; nobody else gets it', async () => {
    const broker = new MemoryBroker();
    const [one, two] = [await connect(broker), await connect(broker)];
    const got: Inbound[] = [];
    const intake = await one.subscribe('a', durable, (message) => got.push(message));
    await one.publish('a', bytes('1'));
    await expect.poll(() => got.length).toBe(1);
    let closed = false;
    const closing = intake.close().then(() => {
      closed = true;
    });
    const seen: string[] = [];
    await two.subscribe('a', durable, (message) => seen.push(text(message)));
    await new Promise((resolve) => setImmediate(resolve));
    expect([closed, seen]).toEqual([false, []]);
    got[0]?.settle?.('ack');
    await closing;
    expect(seen).toEqual([]);
  });

  test('a close that waits for a settlement ends with the connection, and the settlement is void then', async () => {
    const broker = new MemoryBroker();
    const [one, two] = [await connect(broker), await connect(broker)];
    const got: Inbound[] = [];
    const intake = await one.subscribe('a', durable, (message) => got.push(message));
    await one.publish('a', bytes('1'));
    await expect.poll(() => got.length).toBe(1);
    const closing = intake.close();
    broker.disconnect();
    await closing;
    got[0]?.settle?.('ack');
    const seen: (number | undefined)[] = [];
    await two.subscribe('a', durable, (message) => seen.push(message.attempt));
    await expect.poll(() => seen).toEqual([2]);
  });

  test('a settlement of an earlier delivery does not count for a later one', async () => {
    const transport = await connect(new MemoryBroker());
    const got: Inbound[] = [];
    await transport.subscribe('a', durable, (message) => got.push(message));
    await transport.publish('a', bytes('1'));
    await expect.poll(() => got.length).toBe(1);
    got[0]?.settle?.('nack');
    await expect.poll(() => got.length).toBe(2);
    got[0]?.settle?.('nack');
    await new Promise((resolve) => setImmediate(resolve));
    expect(got.length).toBe(2);
  });

  test('forget ends the durable group with what it holds', async () => {
    const transport = await connect(new MemoryBroker());
    const intake = await transport.subscribe('a', durable, () => {});
    await intake.close({ forget: true });
    await transport.publish('a', bytes('lost'));
    const seen: string[] = [];
    await transport.subscribe('a', durable, (message) => seen.push(text(message)));
    await transport.publish('a', bytes('kept'));
    await expect.poll(() => seen).toEqual(['kept']);
  });

  test('a signal gives up waiting for room, and for the broker', async () => {
    const broker = new MemoryBroker();
    const transport = await connect(broker);
    broker.kill();
    const abort = new AbortController();
    const publishing = transport.publish('a', bytes('1'), {
      delivery: 'at-least-once',
      signal: abort.signal,
    });
    abort.abort(new Error('enough'));
    await expect(publishing).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } });
    await expect(transport.publish('a', bytes('1'), { signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    broker.restore();
    await transport.close({ deadlineMs: 10 });
    await expect(transport.publish('a', bytes('1'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('a message older than it may be is not delivered', async () => {
    const transport = await connect(new MemoryBroker());
    const first = await transport.subscribe('a', durable, () => {});
    await first.close();
    await transport.publish('a', bytes('old'), { expiresInMs: -1 });
    await transport.publish('a', bytes('new'), { expiresInMs: 10_000 });
    const seen: string[] = [];
    await transport.subscribe('a', durable, (message) => seen.push(text(message)));
    await expect.poll(() => seen).toEqual(['new']);
  });

  test('a message that is refused for ever leaves time for everything else', async () => {
    const transport = await connect(new MemoryBroker());
    let deliveries = 0;
    const intake = await transport.subscribe('a', durable, (message) => {
      // Else the event loop would stand still, and the test with it.
      message.settle?.(++deliveries > 1000 ? 'reject' : 'nack');
    });
    await transport.publish('a', bytes('poison'));
    await new Promise((resolve) => setImmediate(resolve));
    await intake.close();
    expect(deliveries).toBeLessThan(10);
  });

  test('what is given back keeps its order', async () => {
    const transport = await connect(new MemoryBroker());
    const got: Inbound[] = [];
    const intake = await transport.subscribe('a', durable, (message) => got.push(message));
    for (const n of [1, 2, 3]) await transport.publish('a', bytes(String(n)));
    await expect.poll(() => got.length).toBe(3);
    const closing = intake.close();
    for (const message of got) message.settle?.('nack');
    await closing;
    await transport.publish('a', bytes('4'));
    const seen: string[] = [];
    await transport.subscribe('a', durable, (message) => seen.push(text(message)));
    await expect.poll(() => seen).toEqual(['1', '2', '3', '4']);
  });

  test('what is to be retried later comes later', async () => {
    const transport = await connect(new MemoryBroker());
    const seen: (number | undefined)[] = [];
    await transport.subscribe('a', durable, (message) => {
      seen.push(message.attempt);
      message.settle?.(seen.length < 3 ? { retryInMs: 1 } : 'ack');
    });
    await transport.publish('a', bytes('1'));
    await expect.poll(() => seen).toEqual([1, 2, 3]);
  });
});
