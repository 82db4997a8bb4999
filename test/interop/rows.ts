/** What is tried on every transport with every version of commlib-py, in both directions. */
import { anything, commlibPattern, rpc, topic } from '@commlib/core';
import { expect } from 'vitest';
import { z } from 'zod';
import { until } from '../brokers/index.js';
import type { PythonPeer } from './python-peer.js';
import type { Row, Setting } from './suite.js';

/** What the untyped and the typed service of `peer.py` answer. */
export const echoed = z.looseObject({ seq: z.number(), echo: z.looseObject({ seq: z.number() }) });
export const typed = z.object({ seq: z.number(), text: z.string(), n: z.number() });
export const numbered = z.looseObject({ seq: z.number() });

const row = (text: string, body: Row['body']): Row => ({ text, body });

export const itPublishes = row('it publishes, we subscribe', async ({ node, name, peer }) => {
  const seen: unknown[] = [];
  const at = name('py.plain');
  const values = z.looseObject({ seq: z.number(), n: z.number() });
  const subscriber = await node.subscribe(topic(at, values), ({ seq, n }) => void seen.push([seq, n]));
  await using _ = await peer('publish', at, '--count', '3', '--interval', '0.01', '--data', '{"n":-7}');
  await until(() => seen.length >= 3, { what: 'three messages', timeoutMs: 15_000 });
  expect(seen).toEqual([0, 1, 2].map((seq) => [seq, -7]));
  await subscriber.close();
});

export const ourPatterns = row(
  'it publishes, we subscribe with + and with # (and with a pattern of its own, where it has them)',
  async ({ transport, node, name, peer }) => {
    const seen: string[] = [];
    const base = name('pattern');
    const filters = [`${base}.+.front`, `${base}.#`, commlibPattern(`${base}.sensors.*`)] as const;
    const wanted = transport === 'kafka' ? filters.slice(0, 2) : filters;
    const subscribers = await Promise.all(
      wanted.map((filter, i) =>
        node.subscribe(topic(filter, numbered), ({ seq }) => void seen.push(`${i} ${seq}`)),
      ),
    );
    // Its Kafka publisher makes the topic by its first message, and leaves without waiting for that.
    const interval = transport === 'kafka' ? '3' : '0.01';
    await using _ = await peer('publish', `${base}.sensors.front`, '--count', '2', '--interval', interval);
    const expected = wanted.flatMap((_filter, i) => [`${i} 0`, `${i} 1`]);
    await until(() => seen.length >= expected.length, { what: 'two messages by each', timeoutMs: 40_000 });
    expect(seen.sort()).toEqual(expected);
    await Promise.all(subscribers.map((subscriber) => subscriber.close()));
  },
);

/**
 * Publishes until the peer hears it. Subscribers of commlib-py say that they are ready before they are: on a busy machine by a
 * moment on AMQP, by seconds on Kafka. They miss what came meanwhile.
 */
export async function publishUntilHeard(listener: PythonPeer, publish: () => Promise<void>): Promise<void> {
  const heard = () => listener.all('message').length > 0;
  const end = Date.now() + 60_000;
  while (!heard()) {
    if (Date.now() > end) throw new Error('their subscriber heard nothing in 60 s');
    await publish();
    await until(heard, { what: 'the message', timeoutMs: 2_000 }).catch(() => {});
  }
}

export const itSubscribes = row('we publish, it subscribes: the same values arrive', async (setting) => {
  const { node, name, peer } = setting;
  const at = name('ts.plain');
  const publisher = node.publisher(topic(at, anything));
  // A log's subscribers of old versions want the topic to be there; elsewhere nobody hears this.
  await publisher.publish({ seq: -1 });
  await using listener = await peer('subscribe', at);
  const list = [1, { deep: true }];
  const data = { seq: 3, n: -7, f: 0.5, t: 'a/b é', nothing: null, list, nan: Number.NaN };
  await publishUntilHeard(listener, () => publisher.publish(data));
  expect(listener.all('message')[0]?.data).toMatchObject({ ...data, nan: expect.anything() });
});

export const itsPatterns = row('we publish, its pattern subscriber matches', async ({ node, name, peer }) => {
  await using listener = await peer('psubscribe', name('ts.pattern.*'));
  const publisher = node.publisher(topic(name('ts.pattern.deep'), anything));
  await publishUntilHeard(listener, () => publisher.publish({ seq: 1 }));
  expect(listener.all('message')[0]).toMatchObject({ data: { seq: 1 } });
});

/**
 * A service of theirs writes its answers into one message object, from several threads without a lock: one answer may become
 * another's. Where every answer is counted, it gets one thread.
 */
export const oneWorker = ['--workers', '1'] as const;

/** Calls an untyped service of theirs; every answer must be the call's own. */
export async function callEcho(
  { node, client: options }: Setting,
  at: string,
  count: number,
  atOnce: number,
): Promise<void> {
  const client = node.client(rpc(at, { request: anything, response: echoed }), options);
  for (let first = 0; first < count; first += atOnce) {
    const seqs = Array.from({ length: Math.min(atOnce, count - first) }, (_, i) => first + i);
    const answers = await Promise.all(
      seqs.map((seq) => client.call({ seq, sleep: (seq % 3) / 100 }, { timeoutMs: 15_000 })),
    );
    expect(answers.map(({ seq, echo }) => [seq, echo.seq])).toEqual(seqs.map((seq) => [seq, seq]));
  }
}

export const itServes = row('it serves: 50 of our calls, 10 at once', async (setting) => {
  const at = setting.name('py.echo');
  await using _ = await setting.peer('rpc-service', at, ...oneWorker);
  await callEcho(setting, at, 50, 10);
});

export const itServesMany = row(
  'it serves: 200 of our calls, 50 at once, each its own answer',
  async (setting) => {
    const at = setting.name('py.echo50');
    await using _ = await setting.peer('rpc-service', at, ...oneWorker);
    await callEcho(setting, at, 200, 50);
  },
);

export const itServesTyped = row(
  'it serves, typed: negative integers, slashes, Unicode',
  async ({ node, client, name, peer }) => {
    const at = name('py.typed');
    await using _ = await peer('rpc-service', at, '--typed');
    const request = { seq: 1, text: 'a/b "é" 😀', n: -5 };
    const caller = node.client(rpc(at, { request: anything, response: typed }), client);
    expect(await caller.call(request)).toEqual(request);
  },
);

export const itFails = row(
  'its handler fails: our call fails, the next one is answered',
  async ({ transport, node, client: options, name, peer }) => {
    const at = name('py.fails');
    await using _ = await peer('rpc-service', at);
    const client = node.client(rpc(at, { request: anything, response: echoed }), options);
    // commlib-py has no error in its answers: it is silent, or answers an empty object, which is not what was agreed.
    const code = transport === 'mqtt' || transport === 'kafka' ? 'TIMEOUT' : 'INVALID_DATA';
    const timeoutMs = code === 'TIMEOUT' ? 1_000 : 15_000;
    await expect(client.call({ seq: 1, fail: 'value' }, { timeoutMs })).rejects.toMatchObject({ code });
    expect(await client.call({ seq: 2 })).toMatchObject({ seq: 2 });
  },
);

const requests = z.looseObject({ seq: z.number(), text: z.string().optional(), n: z.number().optional() });
const values = z.object({ seq: z.number(), text: z.string(), n: z.number() });

/** A service of ours that answers typed and untyped clients of theirs alike. */
export const serveEcho = (node: Setting['node'], at: string) =>
  node.serve(rpc(at, { request: requests, response: values }), ({ seq, text = '', n = 0 }) => ({
    seq,
    text,
    n,
  }));

/** Calls by clients of theirs, and what became of them. */
export async function theirCalls(
  { peer }: Setting,
  at: string,
  ...flags: string[]
): Promise<{ ok: number; wrong: number; timeout: number; error: number }> {
  await using caller = await peer('rpc-client', at, ...flags);
  const { ok, wrong, timeout, error } = await caller.next('done', undefined, 60_000);
  return z
    .object({ ok: z.number(), wrong: z.number(), timeout: z.number(), error: z.number() })
    .parse({ ok, wrong, timeout, error });
}

export const itCalls = row('we serve: 5 calls of its untyped client, one by one', async (setting) => {
  const at = setting.name('ts.untyped');
  const service = await serveEcho(setting.node, at);
  expect(await theirCalls(setting, at, '--count', '5')).toMatchObject({ ok: 5 });
  await service.close();
});

export const itCallsTyped = row(
  'we serve: its typed client gets negative integers, slashes, Unicode',
  async ({ node, name, peer }) => {
    const at = name('ts.typed');
    const service = await serveEcho(node, at);
    const data = { text: 'a/b "é" 😀', n: -5 };
    await using caller = await peer('rpc-client', at, '--typed', '--data', JSON.stringify(data));
    expect((await caller.next('reply', undefined, 20_000)).data).toEqual({ seq: 0, ...data });
    await service.close();
  },
);

export const theyCall = row('we serve: 60 calls of 10 of its clients at once', async (setting) => {
  const at = setting.name('ts.many');
  const service = await serveEcho(setting.node, at);
  const settle = setting.transport === 'kafka' ? '0.5' : '0.1';
  const flags = ['--typed', '--own-clients', '--concurrency', '10', '--count', '60', '--settle', settle];
  expect(await theirCalls(setting, at, ...flags)).toMatchObject({ ok: 60 });
  await service.close();
});

/** Forty calls at once of one client object of theirs, and how many got their own answer. They are answered in the reverse of their order, five at a time. */
export async function fortyOfOneClient(setting: Setting): Promise<number> {
  const at = setting.name('ts.single');
  const contract = rpc(at, { request: requests, response: values });
  const service = await setting.node.serve(contract, async ({ seq }) => {
    await new Promise((resolve) => setTimeout(resolve, (5 - (seq % 5)) * 30));
    return { seq, text: '', n: 0 };
  });
  const flags = ['--typed', '--concurrency', '40', '--count', '40', '--timeout', '5'];
  const { ok } = await theirCalls(setting, at, ...flags);
  await service.close();
  return ok;
}

export const oneClientAtOnce = row(
  'we serve: 40 calls at once of one client object of it',
  async (setting) => {
    expect(await fortyOfOneClient(setting)).toBe(40);
  },
);

export const weFail = row(
  'our handler fails: so does its call, and soon',
  async ({ transport, node, name, peer }) => {
    const at = name('ts.bad');
    const service = await node.serve(rpc(at, { request: anything, response: anything }), () => {
      throw new Error('asked to fail');
    });
    await using caller = await peer(
      'rpc-client',
      at,
      '--typed',
      '--timeout',
      transport === 'mqtt' ? '1' : '15',
    );
    // What it makes of an answer without data: silence on MQTT, an exception on Kafka, its defaults elsewhere.
    const expected = {
      mqtt: { outcome: 'timeout' },
      kafka: { outcome: 'error' },
      redis: { outcome: 'wrong', data: { seq: -1, text: '', n: 0 } },
      amqp: { outcome: 'wrong', data: { seq: -1, text: '', n: 0 } },
    }[transport];
    expect(await caller.next('reply', undefined, 20_000)).toMatchObject(expected);
    await service.close();
  },
);

export const itsHeartbeat = row('its heartbeats are read', async ({ node, name, peer }) => {
  const at = name('beating');
  const beats = await node.subscribe(topic(`${at}.heartbeat`, z.object({ ts: z.bigint().or(z.number()) })));
  await using _ = await peer('node', at, '--interval', '0.2');
  for await (const { data } of beats) {
    expect(Number(data.ts)).toBeGreaterThan(1.7e15);
    break;
  }
});

const status = z.looseObject({ status: z.number() });
/** Asks the control service of a node of theirs, which refuses to start what runs: that is an answer. */
export const askControl = ({ node, client }: Setting, at: string, timeoutMs: number) =>
  node.client(rpc(`${at}.start`, { request: anything, response: status }), client).call({}, { timeoutMs });

export const itsControl = row('the control service of its node answers', async (setting) => {
  const at = setting.name('controlled');
  await using _ = await setting.peer('node', at, '--interval', '0.2');
  // A node does not say when its services are up: a Kafka consumer takes seconds, and misses what came before.
  const end = Date.now() + 40_000;
  const ask = async (): Promise<unknown> => {
    try {
      return await askControl(setting, at, 3_000);
    } catch (error) {
      return Date.now() < end ? ask() : error;
    }
  };
  expect(await ask()).toMatchObject({ status: 1 });
});

export const zippedMessages = row('compressed messages, both ways', async ({ node, zipped, name, peer }) => {
  const seen: unknown[] = [];
  const [theirs, ours] = [name('py.zip'), name('ts.zip')];
  const subscriber = await node.subscribe(topic(theirs, numbered), ({ text }) => void seen.push(text));
  const text = 'long and long '.repeat(50);
  await using _ = await peer('publish', theirs, '--compress', '--data', JSON.stringify({ text }));
  await until(() => seen.length > 0, { what: 'a compressed message', timeoutMs: 15_000 });
  expect(seen).toEqual([text]);
  await subscriber.close();

  await using listener = await peer('subscribe', ours, '--compress');
  const publisher = zipped.publisher(topic(ours, anything));
  await publishUntilHeard(listener, () => publisher.publish({ seq: 1, text }));
  expect(listener.all('message')[0]).toMatchObject({ data: { seq: 1, text } });
});

export const zippedCalls = row('compressed calls, both ways', async (setting) => {
  const { zipped, client: options, name, peer } = setting;
  const [theirs, ours] = [name('py.zipped'), name('ts.zipped')];
  {
    await using _ = await peer('rpc-service', theirs, '--compress');
    const client = zipped.client(rpc(theirs, { request: anything, response: echoed }), options);
    expect(await client.call({ seq: 7 })).toMatchObject({ seq: 7 });
  }
  const service = await serveEcho(zipped, ours);
  expect(await theirCalls(setting, ours, '--typed', '--compress')).toMatchObject({ ok: 1 });
  await service.close();
});

/** Every row, in the order of the page. */
export const commonRows: readonly Row[] = [
  itPublishes,
  ourPatterns,
  itSubscribes,
  itsPatterns,
  itServes,
  itServesMany,
  itServesTyped,
  itFails,
  itCalls,
  itCallsTyped,
  theyCall,
  oneClientAtOnce,
  weFail,
  itsHeartbeat,
  itsControl,
  zippedMessages,
  zippedCalls,
];

/** Payloads that are no request: none may disturb the service they are sent to. */
export const malformed: readonly (readonly [string, string | Uint8Array])[] = [
  ['empty', ''],
  ['not JSON', '{"header":'],
  ['not UTF-8', new Uint8Array([0xff, 0xfe, 0x00])],
  ['cut zlib', new Uint8Array([0x78, 0x9c, 0xab])],
  ['null', 'null'],
  ['a list', '[1,2]'],
  ['the sentinel of some builds', 'QueueInit'],
  ['header of the wrong kind', '{"header":7,"data":{}}'],
  ['no reply address', '{"header":{},"data":{"seq":1}}'],
  ['empty reply address', '{"header":{"reply_to":""},"data":{"seq":1}}'],
  ['reply address of the wrong kind', '{"header":{"reply_to":{"a":1}},"data":{"seq":1}}'],
  ['a forbidden key', '{"header":{"reply_to":"x"},"data":{"__proto__":{"a":1}}}'],
];

/** Makes the row that sends {@link malformed} to a service of ours, by whatever speaks to the broker directly. */
export const malformedRow = (
  send: (setting: Setting, address: string, payloads: readonly Uint8Array[]) => Promise<void>,
  calls = true,
): Row =>
  row('malformed requests do no harm to our service: its client is answered afterwards', async (setting) => {
    const at = setting.name('ts.bad.requests');
    const service = await serveEcho(setting.node, at);
    const payloads = malformed.map(([, payload]) =>
      typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
    );
    await send(setting, at, payloads);
    if (calls) expect(await theirCalls(setting, at, '--typed', '--count', '3')).toMatchObject({ ok: 3 });
    await service.close();
  });
