import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { json } from '../codec/json.js';
import {
  anything,
  MemoryBroker,
  memory,
  Node,
  type NodeEvent,
  type NodeOptions,
  rpc,
  topic,
} from '../index.js';
import { EnvelopeWriter, readEnvelope } from './envelope.js';
import { readWireError } from './wire-error.js';

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

const broker = new MemoryBroker();
const events: NodeEvent[] = [];
async function start(options: Partial<NodeOptions> = {}): Promise<Node> {
  events.length = 0;
  const node = new Node({
    transport: memory({ broker }),
    onEvent: (event) => events.push(event),
    ...options,
  });
  open.push(node);
  return node.start();
}
const problems = () => events.flatMap((event) => ('error' in event && event.error ? [event.error.code] : []));

const echo = rpc('srv.echo', { request: z.object({ n: z.number() }), response: z.object({ n: z.number() }) });
const rawText = (text: string) => new TextEncoder().encode(text);

/** Puts bytes on a topic as they are. */
async function raw(
  node: Node,
  address: string,
  payload: Uint8Array,
  options?: { retain: boolean },
): Promise<void> {
  await node.transport.publish(address, payload, options);
}

describe('the envelope', () => {
  const read = (text: string) => readEnvelope(json(), rawText(text));

  test('is written in the key order of commlib-py', () => {
    const writer = new EnvelopeWriter(json(), { timestamps: 'ms', agent: 'commlib' });
    const text = new TextDecoder().decode(writer.write({ a: 1 }, 'rpc-1'));
    expect(text).toMatch(
      /^\{"header":\{"reply_to":"rpc-1","timestamp":\d{13},"content_type":"json","encoding":"utf8","agent":"commlib"\},"data":\{"a":1\}\}$/,
    );
  });

  test('with nanoseconds, a correlation id and an error', () => {
    const writer = new EnvelopeWriter(json(), { timestamps: 'ns', agent: 'commlib-ts' });
    const text = new TextDecoder().decode(writer.write(null, '', 'c"1', { code: 'NO', message: 'no' }));
    expect(text).toMatch(
      /^\{"header":\{"reply_to":"","correlation_id":"c\\"1","timestamp":\d{13}000000,.*"error":\{"code":"NO","message":"no"\}\},"data":null\}$/,
    );
    expect(readWireError(read(text).header)).toEqual({ code: 'NO', message: 'no', details: undefined });
  });

  test('a codec that is an instance of a class keeps its `this`', () => {
    class Shouting {
      readonly contentType = 'application/json';
      readonly #end = '!';
      stringify(value: unknown): string {
        return typeof value === 'string' ? `"${value}${this.#end}"` : JSON.stringify(value);
      }
      encode(value: unknown): Uint8Array {
        return rawText(this.stringify(value));
      }
      decode(payload: Uint8Array): unknown {
        return JSON.parse(new TextDecoder().decode(payload));
      }
    }
    const writer = new EnvelopeWriter(new Shouting(), { timestamps: 'ms', agent: 'a' });
    expect(readEnvelope(json(), writer.write('hey', 'r')).data).toBe('hey!');
  });

  test('a codec without text gets the same as an object', () => {
    const seen: unknown[] = [];
    const codec = {
      contentType: 'x/y',
      encode: (v: unknown) => {
        seen.push(v);
        return new Uint8Array();
      },
      decode: () => null,
    };
    new EnvelopeWriter(codec, { timestamps: 'ms', agent: 'a' }).write({ b: 2 }, 'r', 'c');
    expect(seen[0]).toMatchObject({
      header: { reply_to: 'r', correlation_id: 'c', agent: 'a' },
      data: { b: 2 },
    });
  });

  test("what commlib-py's versions write is read", () => {
    expect(
      read(
        '{"header":{"reply_to":"rpc-x","timestamp":1795360793011584967,"content_type":"json","encoding":"utf8","agent":"commlib"},"data":{"a":1,"b":"-2"}}',
      ).data,
    ).toEqual({ a: 1, b: '-2' });
    expect(
      read('{"header":{"reply_to":"","correlation_id":null,"timestamp":1,"agent":"commlib"},"data":[1]}')
        .data,
    ).toEqual([1]);
    expect(
      read('{"header":{"reply_to":"","timestamp":1},"data":{"price":NaN,"id":12345678901234567890}}').data,
    ).toEqual({ price: Number.NaN, id: 12345678901234567890n });
    expect(read('{"header":{}}').dataMissing).toBe(true);
  });

  test.each([
    '[]',
    '1',
    'null',
    '{}',
    '{"header":1,"data":{}}',
    '{"header":[],"data":{}}',
    '{"header":{"__proto__":1},"data":{}}',
    'x',
  ])('%s is none', (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});

describe('a service', () => {
  test('answers invalid data with its issues, reports it, and lives on', async () => {
    const node = await start({ validate: { outbound: false } });
    await node.serve(echo, ({ n }) => ({ n }));
    const client = node.client(rpc('srv.echo', { request: anything, response: anything }));
    await expect(client.call({ n: 'many' })).rejects.toMatchObject({
      code: 'INVALID_DATA',
      details: { issues: [{ path: 'n' }] },
    });
    expect(problems()).toEqual(['INVALID_DATA']);
    expect(await client.call({ n: '-3' })).toEqual({ n: -3 });
  });

  test('an answer that cannot be sent is reported once', async () => {
    const broker = new MemoryBroker();
    const failures: string[] = [];
    const node = await start({
      transport: memory({ broker }),
      onEvent: (event) => event.type === 'handler-error' && failures.push(event.error.code),
    });
    await node.serve(echo, ({ n }) => {
      broker.disconnect();
      return { n };
    });
    await raw(node, 'srv/echo', rawText('{"header":{"reply_to":"nobody"},"data":{"n":1}}'));
    await expect.poll(() => node.status).toMatchObject({ state: 'ready', reconnects: 1 });
    expect(failures).toEqual(['NOT_CONNECTED']);
  });

  test.each([
    ['not JSON', 'x', 'MALFORMED'],
    ['no header', '{"data":{"n":1}}', 'MALFORMED'],
    ['an empty reply_to', '{"header":{"reply_to":""},"data":{"n":1}}', 'NO_REPLY_ADDRESS'],
    ['a reply_to that is a number', '{"header":{"reply_to":7},"data":{"n":1}}', 'NO_REPLY_ADDRESS'],
    ['a reply_to with a wildcard', '{"header":{"reply_to":"a/#"},"data":{"n":1}}', 'INVALID_NAME'],
    ['a reply_to with NUL', '{"header":{"reply_to":"a\\u0000"},"data":{"n":1}}', 'INVALID_NAME'],
  ])('%s is reported once and not executed', async (_, body, code) => {
    const node = await start();
    let runs = 0;
    await node.serve(echo, ({ n }) => {
      runs++;
      return { n };
    });
    await raw(node, 'srv/echo', rawText(body));
    await node.client(echo).call({ n: 1 });
    expect(runs).toBe(1);
    expect(problems()).toEqual([code]);
  });

  test('does not execute a request kept by the broker', async () => {
    const node = await start();
    let runs = 0;
    await raw(node, 'srv/echo', rawText('{"header":{"reply_to":"r/1"},"data":{"n":1}}'), { retain: true });
    await node.serve(echo, ({ n }) => {
      runs++;
      return { n };
    });
    await node.client(echo).call({ n: 1 });
    await raw(node, 'srv/echo', new Uint8Array(), { retain: true });
    expect(runs).toBe(1);
    expect(problems()).toContain('RETAINED_REQUEST');
  });

  test('executes one request once, however often it comes', async () => {
    const node = await start();
    let runs = 0;
    await node.serve(echo, ({ n }) => {
      runs++;
      return { n };
    });
    const request = { replyTo: 'box', correlationId: '5' };
    const inbox = await node.transport.openInbox({}, () => {});
    const payload = new EnvelopeWriter(json(), { timestamps: 'ms', agent: 'x' }).write({ n: 1 }, 'box');
    await inbox.send('srv/echo', payload, request);
    await inbox.send('srv/echo', payload, request);
    await inbox.send('srv/echo', payload, { replyTo: 'box', correlationId: '6' });
    await expect.poll(() => node.counters.received).toBe(3);
    expect(runs).toBe(2);
    expect(problems()).toEqual(['REPEATED_REQUEST']);
  });

  test('where requests wait at the broker, one whose caller no longer waits is not executed; by the broker’s clock', async () => {
    let now = 5_000_000;
    const node = await start({ transport: Object.assign(memory(), { brokerNow: () => now }) });
    const executed: unknown[] = [];
    const headers: unknown[] = [];
    await node.serve(echo, ({ n }, { header }) => {
      executed.push(n);
      headers.push(header.expires);
      return { n };
    });
    const inbox = await node.transport.openInbox({}, () => {});
    const writer = new EnvelopeWriter(json(), { timestamps: 'ms', agent: 'x' });
    const send = (n: number, expires?: number) =>
      inbox.send('srv/echo', writer.write({ n }, 'box', undefined, undefined, expires), inbox.claim());
    await send(1, 4_999_999);
    await send(2, 5_000_000);
    await send(3);
    expect(await node.client(echo).call({ n: 4 }, { timeoutMs: 700 })).toEqual({ n: 4 });
    now += 1;
    await send(5, 5_000_000);
    await expect.poll(() => problems()).toEqual(['EXPIRED_REQUEST', 'EXPIRED_REQUEST']);
    expect(executed).toEqual([2, 3, 4]);
    expect(headers[2]).toBe(5_000_700);
  });

  test('runs at most `concurrency` at once and answers OVERLOADED beyond its queue', async () => {
    const node = await start();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let running = 0;
    let most = 0;
    await node.serve(
      echo,
      async ({ n }) => {
        most = Math.max(most, ++running);
        await gate;
        running--;
        return { n };
      },
      { concurrency: 2, maxQueued: 1 },
    );
    const calls = [1, 2, 3, 4].map((n) => node.client(echo).call({ n }));
    await expect(calls[3]).rejects.toMatchObject({ code: 'OVERLOADED' });
    release();
    expect(await Promise.all(calls.slice(0, 3))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(most).toBe(2);
  });

  test('an answer that breaks its own contract is an error for the caller', async () => {
    const node = await start();
    // A handler in plain JavaScript may return anything.
    await node.serve(echo, () => JSON.parse('{"n":"x"}'));
    await expect(node.client(echo).call({ n: 1 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
    expect(problems()).toEqual(['INVALID_DATA']);
  });

  test('finishes the requests it has before it closes', async () => {
    const server = await start();
    const caller = await start();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      void server.serve(echo, async ({ n }) => {
        resolve();
        await gate;
        return { n };
      });
    });
    const call = caller.client(echo).call({ n: 9 });
    await begun;
    const closed = server.close();
    release();
    expect(await call).toEqual({ n: 9 });
    await closed;
  });

  test('missing data is refused, or taken as empty where asked', async () => {
    const node = await start();
    const lax = rpc('srv.lax', { request: z.object({ n: z.number().default(4) }), response: anything });
    await node.serve(lax, ({ n }) => ({ n }), { missingData: 'empty' });
    await node.serve(echo, ({ n }) => ({ n }));
    const answers: string[] = [];
    const inbox = await node.transport.openInbox({}, ({ payload }) =>
      answers.push(new TextDecoder().decode(payload)),
    );
    for (const address of ['srv/lax', 'srv/echo']) {
      const target = inbox.claim();
      await inbox.send(address, rawText(`{"header":{"reply_to":"${target.replyTo}"}}`), target);
    }
    await expect.poll(() => answers.length).toBe(2);
    expect(answers.join()).toContain('"data":{"n":4}');
    expect(answers.join()).toContain('"code":"MALFORMED"');
  });
});

describe('a call', () => {
  test('times out with a typed error, and a late answer reaches nobody', async () => {
    const node = await start();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    await node.serve(echo, async ({ n }) => {
      if (n === 1) await gate;
      return { n };
    });
    const client = node.client(echo, { timeoutMs: 20 });
    await expect(client.call({ n: 1 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    release();
    await expect.poll(() => node.counters.lateReplies).toBe(1);
    expect(await client.call({ n: 2 })).toEqual({ n: 2 });
  });

  test('to nobody fails at once where the broker tells', async () => {
    const node = await start();
    await expect(node.client(echo).call({ n: 1 })).rejects.toMatchObject({ code: 'NO_RECEIVER' });
  });

  test('aborted, ends at once', async () => {
    const node = await start();
    await node.serve(echo, () => new Promise(() => {}));
    const abort = new AbortController();
    const call = node.client(echo).call({ n: 1 }, { signal: abort.signal });
    abort.abort(new Error('changed my mind'));
    await expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'changed my mind' } });
    await expect(node.client(echo).call({ n: 1 }, { signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  test('in flight ends when its node is closed', async () => {
    const node = await start();
    await node.serve(echo, () => new Promise(() => {}));
    const call = node.client(echo).call({ n: 1 });
    const ended = expect(call).rejects.toMatchObject({ code: 'CLOSED' });
    await expect.poll(() => node.counters.served).toBe(1);
    await node.close({ deadlineMs: 50 });
    await ended;
    expect(() => node.client(echo)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  test('with an invalid request is not sent', async () => {
    const node = await start();
    await expect(node.client(echo).call(JSON.parse('{"n":"x"}'))).rejects.toMatchObject({
      code: 'INVALID_DATA',
    });
    expect(node.counters.calls).toBe(0);
  });

  test('with an invalid answer is told so', async () => {
    const node = await start();
    await node.serve(rpc('srv.echo', { request: anything, response: anything }), () => ({ n: 'x' }));
    await expect(node.client(echo).call({ n: 1 })).rejects.toMatchObject({ code: 'INVALID_DATA' });
  });

  test('reaches a service with parameters in its name', async () => {
    const node = await start();
    const status = rpc('bots/{id}/status', { request: anything, response: z.object({ id: z.string() }) });
    await node.serve(status, (_, { params }) => ({ id: params.id }), { params: { id: 'one' } });
    expect(await node.client(status).call({}, { params: { id: 'one' } })).toEqual({ id: 'one' });
    // @ts-expect-error the compiler says it too: the parameter is missing
    await expect(node.client(status).call({})).rejects.toMatchObject({ code: 'INVALID_NAME' });
  });

  test('one of two competing services answers; with mode all, both are asked', async () => {
    const node = await start();
    const asked: string[] = [];
    const name = rpc('srv.shared', { request: anything, response: anything });
    await node.serve(name, () => asked.push('a'), { mode: 'compete' });
    await node.serve(name, () => asked.push('b'), { mode: 'compete' });
    const all = await node.serve(name, () => asked.push('all'), { mode: 'all' });
    await node.client(name).call({});
    await node.client(name).call({});
    await all.close();
    expect(asked.sort()).toEqual(['a', 'all', 'all', 'b']);
    await expect(node.serve(name, () => 0, { mode: 'exclusive' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
  });
});

test('compressed nodes talk to each other and to those that do not compress', async () => {
  const small = await start({ compress: true });
  const plain = await start();
  await small.serve(echo, ({ n }) => ({ n: n + 1 }));
  expect(await plain.client(echo).call({ n: 1 })).toEqual({ n: 2 });
  expect(await small.client(echo).call({ n: 2 })).toEqual({ n: 3 });
  const sizes = topic('sizes', z.object({ text: z.string() }));
  const got = await plain.subscribe(sizes);
  await small.publisher(sizes).publish({ text: 'x'.repeat(1000) });
  for await (const message of got) {
    expect(message.payload.length).toBeLessThan(100);
    expect(message.data.text.length).toBe(1000);
    break;
  }
});

test('middleware surrounds calls and services, outermost first, and may replace what is sent', async () => {
  const node = await start();
  const order: string[] = [];
  const tag = (name: string) => ({
    async call(_: unknown, next: () => Promise<unknown>) {
      order.push(`${name} call`);
      const answer = await next();
      order.push(`${name} answered`);
      return answer;
    },
    async serve(_: unknown, next: () => Promise<unknown>) {
      order.push(`${name} serve`);
      return next();
    },
  });
  node.use(tag('one')).use(tag('two'));
  node.use({
    async call(context, next) {
      context.data = { n: 41 };
      return next();
    },
  });
  await node.serve(echo, ({ n }) => ({ n: n + 1 }));
  expect(await node.client(echo).call({ n: 0 })).toEqual({ n: 42 });
  expect(order).toEqual(['one call', 'two call', 'one serve', 'two serve', 'two answered', 'one answered']);
});
