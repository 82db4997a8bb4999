import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { anything, type Inbound, memory, Node, type NodeOptions, rpc, type Transport } from '../index.js';
import { deferred } from '../util/deferred.js';

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close({ deadlineMs: 100 })));
});

const free = rpc('srv.free', { request: anything, response: anything });

/** A node whose inbox the test holds in its hands. */
async function calling(options: Partial<NodeOptions> = {}) {
  const opened = deferred<void>();
  const sent: string[] = [];
  const released: string[] = [];
  let onReply: (message: Inbound) => void = () => {};
  const transport: Transport = Object.assign(memory(), {
    openInbox: async (_options: unknown, on: (message: Inbound) => void) => {
      onReply = on;
      await opened.promise;
      let calls = 0;
      return {
        claim: () => ({ replyTo: 'box', correlationId: String(++calls) }),
        send: async (_address: string, _payload: Uint8Array, target: { correlationId?: string }) => {
          sent.push(target.correlationId ?? '');
        },
        release: (target: { correlationId?: string }) => void released.push(target.correlationId ?? ''),
        close: async () => {},
      };
    },
  });
  const node = await new Node({ transport, ...options }).start();
  open.push(node);
  const reply = (correlationId: string | undefined, payload: string | Uint8Array) =>
    onReply({
      address: 'box',
      payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
      retained: false,
      correlationId,
    });
  return { node, client: node.client(free), opened, sent, released, reply };
}

describe('the time of a call', () => {
  test('includes the opening of the inbox', async () => {
    const { client, opened, sent } = await calling();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      let error: unknown;
      client.call(1, { timeoutMs: 1_000 }).catch((reason) => {
        error = reason;
      });
      await vi.advanceTimersByTimeAsync(700);
      opened.resolve();
      await vi.advanceTimersByTimeAsync(290);
      expect(sent).toEqual(['1']);
      expect(error).toBeUndefined();
      await vi.advanceTimersByTimeAsync(20); // not 700 + 1000
      expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/answer/) });
    } finally {
      vi.useRealTimers();
    }
  });

  test('ends while the inbox is being opened: by deadline, signal, or the closing of the node', async () => {
    const { client, node } = await calling();
    const abort = new AbortController();
    const calls = [
      client.call(1, { timeoutMs: 5 }),
      client.call(2, { signal: abort.signal }),
      client.call(3),
    ].map((call) => call.catch((error) => error.code));
    expect(await calls[0]).toBe('TIMEOUT');
    abort.abort();
    expect(await calls[1]).toBe('ABORTED');
    await node.close({ deadlineMs: 50 });
    expect(await calls[2]).toBe('CLOSED');
  });

  test.each([Number.NaN, -1])('%d is refused where it is given', async (timeoutMs) => {
    const { client, node } = await calling();
    await expect(client.call(1, { timeoutMs })).rejects.toThrow(RangeError);
    expect(() => node.client(free, { timeoutMs })).toThrow(RangeError);
  });
});

describe('hostile answers', () => {
  const ok = '{"header":{},"data":"mine"}';
  test.each<[string, string | undefined, string | Uint8Array]>([
    ['for a call that is not there', '99', ok],
    ['for a call whose name is a property of every object', 'constructor', ok],
    ['without correlation', undefined, ok],
    ['whose correlation is no text', undefined, '{"header":{"correlation_id":{"1":1}},"data":1}'],
    ['that is not JSON and for nobody', undefined, '{'],
    [
      'that is a broken stream and for nobody',
      undefined,
      new Uint8Array(deflateSync('x'.repeat(999))).slice(0, 12),
    ],
  ])('%s reach nobody', async (_, correlationId, payload) => {
    const { client, opened, reply } = await calling();
    opened.resolve();
    const call = client.call(1);
    await expect.poll(() => client && open.at(-1)?.counters.calls).toBe(1);
    reply(correlationId, payload);
    reply('1', ok);
    expect(await call).toBe('mine');
  });

  test.each<[string, unknown]>([
    ['{"header":{"error":"text"},"data":1}', 1],
    ['{"header":{"error":[1]},"data":1}', 1],
    ['{"header":{"error":{"code":7}},"data":1}', 1],
    ['{"header":{"error":null,"timestamp":NaN,"agent":12345678901234567890},"data":1}', 1],
    [`{"header":{"agent":"${'x'.repeat(1_000_000)}"},"data":1}`, 1],
  ])('an error field of another shape is none', async (payload, data) => {
    const { client, opened, reply, sent } = await calling();
    opened.resolve();
    const call = client.call(1);
    await expect.poll(() => sent).toEqual(['1']);
    reply('1', payload);
    expect(await call).toBe(data);
  });

  test.each([
    ['no data', '{"header":{}}', 'MALFORMED'],
    ['no envelope', '[]', 'MALFORMED'],
    ['a hostile key deep in the header', '{"header":{"x":[{"__proto__":1}]},"data":1}', 'MALFORMED'],
    ['an error without a message', '{"header":{"error":{"code":"ODD"}},"data":null}', 'ODD'],
  ])('with %s they end the call', async (_, payload, code) => {
    const { client, opened, reply, sent, released } = await calling();
    opened.resolve();
    const call = client.call(1);
    await expect.poll(() => sent).toEqual(['1']);
    reply('1', payload);
    await expect(call).rejects.toMatchObject({ code });
    reply('1', payload); // and once more, to nobody
    expect(released).toEqual(['1']);
  });
});

test('an inbox that could not be opened is tried again by the next call', async () => {
  const transport = memory();
  const openInbox = transport.openInbox.bind(transport);
  let attempts = 0;
  const node = await new Node({
    transport: Object.assign(transport, {
      openInbox: (...args: Parameters<Transport['openInbox']>) => {
        if (++attempts === 1) throw new Error('at once, not as a rejection');
        return attempts === 2 ? Promise.reject(new Error('denied')) : openInbox(...args);
      },
    }),
  }).start();
  open.push(node);
  await node.serve(free, () => 'here');
  await expect(node.client(free).call(1)).rejects.toThrow('at once');
  await expect(node.client(free).call(1)).rejects.toThrow('denied');
  expect(await Promise.all([node.client(free).call(1), node.client(free).call(1)])).toEqual(['here', 'here']);
  expect(attempts).toBe(3);
});

test('a call that failed while its request was being compressed is not sent', async () => {
  const { client, opened, sent, released, node } = await calling({ compress: true });
  opened.resolve();
  await client.call(0, { timeoutMs: 5 }).catch(() => {});
  sent.length = 0;
  const abort = new AbortController();
  const call = client.call('x'.repeat(2_000_000), { signal: abort.signal });
  abort.abort();
  await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
  const next = client.call(1, { timeoutMs: 5_000 });
  await expect.poll(() => sent.length).toBe(1);
  expect(sent).toEqual(['3']);
  expect(released).toContain('2');
  const ended = expect(next).rejects.toMatchObject({ code: 'CLOSED' });
  await node.close();
  await ended;
});

test('calls leave no more than one listener on the signal they share, however they end', async () => {
  const { client, opened, reply, sent } = await calling();
  opened.resolve();
  const { signal } = new AbortController();
  const added = vi.spyOn(signal, 'addEventListener');
  const answered = client.call(1, { signal });
  await expect.poll(() => sent).toEqual(['1']);
  reply('1', '{"header":{},"data":1}');
  await answered;
  await client.call(2, { signal, timeoutMs: 1 }).catch(() => {});
  await Promise.all([3, 4, 5].map((n) => client.call(n, { signal, timeoutMs: 1 }).catch(() => {})));
  expect(added).toHaveBeenCalledOnce();
});
