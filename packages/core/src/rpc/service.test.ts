import { runInNewContext } from 'node:vm';
import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import {
  anything,
  type Inbound,
  MemoryBroker,
  memory,
  Node,
  type NodeEvent,
  type NodeOptions,
  type RequestHandler,
  rpc,
  type Schema,
  ServiceError,
  type Settlement,
  type Transport,
} from '../index.js';
import { deferred } from '../util/deferred.js';

const open: Node[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close({ deadlineMs: 100 })));
});

const free = rpc('srv.free', { request: anything, response: anything });
type Handler = RequestHandler<typeof free, 'srv.free'>;

/** A service whose requests the test delivers itself, and sees what becomes of them. */
async function serving(
  handler: Handler,
  options: {
    node?: Partial<NodeOptions>;
    concurrency?: number;
    maxQueued?: number;
    contract?: typeof free;
  } = {},
) {
  const events: NodeEvent[] = [];
  const answers: {
    data?: unknown;
    header: { error?: { code: string; message: string; details?: unknown } };
  }[] = [];
  const settled: [string, Settlement][] = [];
  let deliver: (request: Inbound) => void = () => {};
  const transport: Transport = Object.assign(memory(), {
    serve: async (_address: string, _options: unknown, onRequest: (request: Inbound) => void) => {
      deliver = onRequest;
      return { close: async () => {} };
    },
    respond: async (_request: Inbound, _target: unknown, payload: Uint8Array) => {
      answers.push(JSON.parse(new TextDecoder().decode(payload)));
    },
  });
  const node = await new Node({ transport, onEvent: (event) => events.push(event), ...options.node }).start();
  open.push(node);
  const { concurrency, maxQueued, contract = free } = options;
  const service = await node.serve(contract, handler, { concurrency, maxQueued });
  let requests = 0;
  const request = (payload: string | Uint8Array, more: Partial<Inbound> = {}) => {
    const id = String(++requests);
    deliver({
      address: 'srv/free',
      payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : payload,
      retained: false,
      replyTo: 'box',
      correlationId: id,
      settle: (outcome) => settled.push([id, outcome]),
      ...more,
    });
  };
  const ask = (data: unknown) => request(JSON.stringify({ header: { reply_to: 'box' }, data }));
  const problems = () =>
    events.flatMap((e) => ('error' in e && e.error ? [`${e.type} ${e.error.code}`] : []));
  return { node, service, ask, request, answers, settled, problems, events };
}

describe('what a caller is told', () => {
  test.each([
    ['a TimeoutError of a call it made', 'TIMEOUT'],
    ['a NotConnectedError', 'NOT_CONNECTED'],
    ['invalid data it got from elsewhere', 'INVALID_DATA'],
  ])(
    'of a handler that failed with %s: that the handler failed, not that the request did',
    async (_, code) => {
      const { ask, answers, problems } = await serving(() => {
        throw Object.assign(new Error('downstream'), { code });
      });
      const ours = await serving(async (_, request) => {
        const { CommlibError } = await import('../index.js');
        throw new CommlibError(code, `downstream of ${request.address}`);
      });
      ask(1);
      ours.ask(1);
      await expect.poll(() => answers.length + ours.answers.length).toBe(2);
      expect(answers[0]?.header.error).toEqual({ code: 'HANDLER_FAILED', message: 'downstream' });
      expect(ours.answers[0]?.header.error).toMatchObject({ code: 'HANDLER_FAILED' });
      expect([...problems(), ...ours.problems()]).toEqual([
        'handler-error HANDLER_FAILED',
        'handler-error HANDLER_FAILED',
      ]);
    },
  );

  test.each<[string, () => unknown]>([
    ['a value without text', () => Object.create(null)],
    ['nothing', () => undefined],
    ['a message that is no text', () => Object.assign(new Error('x'), { message: 1n })],
    [
      'a getter that throws',
      () => ({
        toString() {
          throw new Error('again');
        },
      }),
    ],
  ])('when %s is thrown: an answer all the same', async (_, thrown) => {
    const { ask, answers, settled, problems } = await serving(() => {
      throw thrown();
    });
    ask(1);
    await expect.poll(() => settled).toEqual([['1', 'ack']]);
    expect(answers[0]?.header.error?.code).toBe('HANDLER_FAILED');
    expect(problems()).toEqual(['handler-error HANDLER_FAILED']);
  });

  test.each<[string, unknown]>([
    ['a function', () => 1],
    [
      'a cycle',
      (() => {
        const cycle: { self?: unknown } = {};
        cycle.self = cycle;
        return cycle;
      })(),
    ],
  ])('when the details of its error are %s: the error without them', async (_, details) => {
    const { ask, answers } = await serving(() => {
      throw new ServiceError('NO', 'not today', details);
    });
    ask(1);
    await expect.poll(() => answers[0]?.header.error).toEqual({ code: 'NO', message: 'not today' });
  });

  test('when the handler returns nothing: that it cannot be written', async () => {
    const { ask, answers } = await serving(() => undefined);
    ask(1);
    await expect.poll(() => answers[0]?.header.error?.code).toBe('NOT_ENCODABLE');
  });

  test('of a million issues: the first hundred', async () => {
    const contract = rpc('srv.free', {
      request: refusing(Array.from({ length: 10_000 }, (_, i) => ({ message: 'bad', path: [i] }))),
      response: anything,
    });
    const { ask, answers } = await serving(() => 1, { contract });
    ask([]);
    await expect.poll(() => answers.length).toBe(1);
    expect(answers[0]?.header.error?.details).toMatchObject({ issues: { length: 100 } });
  });
});

function refusing(issues: readonly { message: string; path: readonly PropertyKey[] }[]): Schema {
  return { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } };
}

describe('a handler may return', () => {
  test('a promise of another realm', async () => {
    const { ask, answers } = await serving(() => runInNewContext('Promise.resolve({ n: 1 })'));
    ask(1);
    await expect.poll(() => answers[0]?.data).toEqual({ n: 1 });
  });

  test('a thenable that is no promise, also one that fails', async () => {
    // biome-ignore lint/suspicious/noThenProperty: what the test is about
    const good = await serving(() => ({ then: (yes: (value: unknown) => void) => yes({ n: 2 }) }));
    good.ask(1);
    await expect.poll(() => good.answers[0]?.data).toEqual({ n: 2 });
    const bad = await serving(() => ({
      // biome-ignore lint/suspicious/noThenProperty: what the test is about
      then: (_: unknown, no: (error: unknown) => void) => no(new Error('lazy')),
    }));
    bad.ask(1);
    await expect.poll(() => bad.answers[0]?.header.error?.message).toBe('lazy');
  });

  test('a date, an instance of a class, a bigint: as JSON has them', async () => {
    class Point {
      readonly #secret = 1;
      readonly x: number;
      constructor(x: number) {
        this.x = x;
      }
      get sum() {
        return this.x + this.#secret;
      }
    }
    const { ask, answers } = await serving(() => ({ d: new Date(0), p: new Point(1), b: 7n }));
    ask(1);
    await expect.poll(() => answers[0]?.data).toEqual({ d: '1970-01-01T00:00:00.000Z', p: { x: 1 }, b: 7 });
  });
});

describe('every request is settled once', () => {
  const zipped = (text: string) => new Uint8Array(deflateSync(new TextEncoder().encode(text)));
  const big = JSON.stringify({ header: { reply_to: 'box' }, data: 'x'.repeat(100_000) });

  test.each<[string, string | Uint8Array, Partial<Inbound>, Settlement]>([
    ['answered', '{"header":{},"data":1}', {}, 'ack'],
    ['compressed', zipped('{"header":{},"data":1}'), {}, 'ack'],
    ['not JSON', 'x', {}, 'reject'],
    ['a broken stream', zipped(big).slice(0, 50), {}, 'reject'],
    ['without data', '{"header":{}}', {}, 'reject'],
    ['without reply address', '{"header":{},"data":1}', { replyTo: undefined }, 'reject'],
    ['retained', '{"header":{},"data":1}', { retained: true }, 'reject'],
    ['a wildcard to answer to', '{"header":{},"data":1}', { replyTo: 'a/#' }, 'reject'],
  ])('%s', async (_, payload, more, outcome) => {
    const { request, settled, ask } = await serving(async (data) => data);
    request(payload, more);
    await expect.poll(() => settled).toEqual([['1', outcome]]);
    ask(2);
    await expect.poll(() => settled.length).toBe(2);
  });

  test('repeated, invalid, over the limit', async () => {
    const gate = deferred<number>();
    const { request, ask, settled, answers } = await serving(() => gate.promise, {
      concurrency: 1,
      maxQueued: 1,
      contract: rpc('srv.free', { request: anything, response: anything }),
    });
    ask(1); // runs
    ask(2); // waits
    ask(3); // too many
    request(zipped(big)); // too many, and must be read to be answered
    await expect.poll(() => answers.map((a) => a.header.error?.code)).toEqual(['OVERLOADED', 'OVERLOADED']);
    gate.resolve(0);
    await expect.poll(() => settled.length).toBe(4);
    request('{"header":{},"data":1}', { correlationId: '1' });
    await expect.poll(() => settled.length).toBe(5);
    expect(Object.fromEntries(settled.slice(0, 4))).toEqual({ 1: 'ack', 2: 'ack', 3: 'reject', 4: 'reject' });
    expect(settled[4]).toEqual(['5', 'reject']);
  });

  test('when the node is shut down: not acknowledged', async () => {
    const { node, ask, settled, answers, problems } = await serving(
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { concurrency: 1 },
    );
    ask(1); // runs
    ask(2); // waits
    await node.close({ deadlineMs: 20 });
    await expect
      .poll(() => settled.sort())
      .toEqual([
        ['1', 'nack'],
        ['2', 'nack'],
      ]);
    expect([answers, problems()]).toEqual([[], []]);
  });
});

describe('the limits of a service', () => {
  test('hold for compressed requests too: no more are read at once than run at once', async () => {
    const gate = deferred<number>();
    let running = 0;
    const { request, ask, settled } = await serving(
      () => {
        running++;
        return gate.promise;
      },
      { concurrency: 1, maxQueued: 10 },
    );
    ask(0);
    const order: unknown[] = [];
    for (let i = 0; i < 3; i++)
      request(new Uint8Array(deflateSync(new TextEncoder().encode(`{"header":{},"data":${i}}`))));
    expect(running).toBe(1);
    gate.resolve(0);
    await expect.poll(() => settled.map(([id]) => id)).toEqual(['1', '2', '3', '4']);
    expect(order).toEqual([]);
  });

  test('closing waits for compressed requests as well', async () => {
    let ran = 0;
    const { request, service } = await serving(() => ++ran);
    request(new Uint8Array(deflateSync(new TextEncoder().encode('{"header":{},"data":1}'))));
    await service.close();
    expect(ran).toBe(1);
  });

  test.each([0, -1, 1.5, Number.NaN])('concurrency %d is refused where it is given', async (concurrency) => {
    await expect(serving(() => 1, { concurrency })).rejects.toThrow(RangeError);
  });
});

describe('closing a service', () => {
  test('from its own handler ends at the deadline, and what waited is given back', async () => {
    const closed = deferred<void>();
    const running: { close?: () => Promise<void> } = {};
    const { ask, service, settled } = await serving(
      async () => {
        await running.close?.();
        closed.resolve();
        return 1;
      },
      { concurrency: 1 },
    );
    running.close = () => service.close({ deadlineMs: 20 });
    ask(1);
    ask(2);
    await closed.promise;
    await expect
      .poll(() => settled)
      .toEqual([
        ['2', 'nack'],
        ['1', 'ack'],
      ]);
    await service.close();
  });

  test('twice waits for the first', async () => {
    const gate = deferred<number>();
    const { ask, service, settled } = await serving(() => gate.promise);
    ask(1);
    const both = Promise.all([service.close(), service.close()]);
    gate.resolve(1);
    await both;
    expect(settled).toEqual([['1', 'ack']]);
  });
});

test('an answer the transport refuses at once is reported once', async () => {
  const { ask, settled, problems, node } = await serving(() => 1);
  Object.assign(node.transport, {
    respond: () => {
      throw new Error('no such topic');
    },
  });
  ask(1);
  await expect.poll(() => settled).toEqual([['1', 'ack']]);
  expect(problems()).toEqual(['handler-error HANDLER_FAILED']);
});

test('an answer that cannot be sent is reported once', async () => {
  const broker = new MemoryBroker();
  const events: NodeEvent[] = [];
  const node = await new Node({
    transport: memory({ broker }),
    onEvent: (event) => event.type === 'handler-error' && events.push(event),
  }).start();
  open.push(node);
  const gate = deferred<number>();
  await node.serve(free, () => gate.promise);
  const call = node.client(free).call(1);
  await expect.poll(() => node.counters.served).toBe(1);
  broker.kill();
  await expect(call).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  gate.resolve(1);
  await expect.poll(() => events.length).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(events).toMatchObject([{ error: { code: 'NOT_CONNECTED' } }]);
});
