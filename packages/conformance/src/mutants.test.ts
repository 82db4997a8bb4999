/** A kit that finds nothing proves nothing: transports that are wrong on purpose, and the properties that must notice. */
import {
  type MemoryBroker as Broker,
  type Capabilities,
  type Inbound,
  MemoryBroker,
  memory,
  type Transport,
} from '@commlib/core';
import { expect, test } from 'vitest';
import { describeTransport, type Result } from './describe-transport.js';
import { propertyIds } from './properties/index.js';

type Mutation = (inner: Transport, broker: Broker) => Partial<Transport>;

/** The transport with some of its members exchanged. */
function mutant(inner: Transport, changed: Partial<Transport>): Transport {
  return {
    protocol: inner.protocol,
    names: inner.names,
    get capabilities() {
      return inner.capabilities;
    },
    get status() {
      return inner.status;
    },
    connect: (options) => inner.connect(options),
    close: (options) => inner.close(options),
    publish: (...message) => inner.publish(...message),
    subscribe: (...subscription) => inner.subscribe(...subscription),
    openInbox: (...inbox) => inner.openInbox(...inbox),
    serve: (...service) => inner.serve(...service),
    respond: (...answer) => inner.respond(...answer),
    ...changed,
  };
}

/** Changes what a subscription is given. */
function receiving(change: (message: Inbound, on: (message: Inbound) => void) => void): Mutation {
  return (inner) => ({
    subscribe: (filter, options, on) => inner.subscribe(filter, options, (message) => change(message, on)),
  });
}

/** The ids of the properties that fail. */
async function failing(
  mutation: Mutation,
  expected: Partial<Capabilities> = {},
  timeoutMs = 1_500,
): Promise<string[]> {
  const tests: (() => Promise<void>)[] = [];
  const results: Result[] = [];
  describeTransport({
    name: 'a mutant',
    runner: {
      describe: (_name, _options, body) => body(),
      test: (_name, _options, body) => tests.push(body),
    },
    capabilities: { ...memory().capabilities, ...expected },
    timeoutMs,
    concurrency: 1_000,
    onResult: (result) => results.push(result),
    create: async () => {
      const broker = new MemoryBroker();
      return {
        transport: ({ maxBuffered }) => {
          const inner = memory({ broker, maxBuffered });
          return mutant(inner, mutation(inner, broker));
        },
        cut: () => broker.disconnect(),
        block: () => broker.kill(),
        unblock: () => broker.restore(),
        async [Symbol.asyncDispose]() {},
      };
    },
  });
  await Promise.allSettled(tests.map((run) => run()));
  expect(results.length).toBe(propertyIds.length);
  return results.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id);
}

test('a right transport passes everything', async () => {
  expect(await failing(() => ({}), {}, 10_000)).toEqual([]);
});

const mutants: readonly [what: string, noticed: readonly string[], Mutation][] = [
  [
    'acknowledges before the handler',
    ['settle.after-handler', 'settle.after-loss', 'settle.nack', 'settle.retry-later', 'group.takeover'],
    receiving((message, on) => {
      message.settle?.('ack');
      on(message);
    }),
  ],
  [
    'loses the first message of a subscription',
    ['subscribe.nothing-missed', 'subscribe.nothing-missed-surely', 'publish.all-arrive', 'payload.empty'],
    (inner) => ({
      subscribe: (filter, options, on) => {
        let first = true;
        return inner.subscribe(filter, options, (message) => {
          if (!first) on(message);
          else message.settle?.('ack');
          first = false;
        });
      },
    }),
  ],
  [
    'delivers everything twice',
    ['publish.all-arrive', 'subscribe.overlapping', 'group.once.share'],
    receiving((message, on) => {
      on(message);
      on(message);
    }),
  ],
  [
    'turns neighbours round',
    ['subscribe.order', 'subscribe.order-surely', 'loss.subscription'],
    (inner) => ({
      subscribe: (filter, options, on) => {
        let held: Inbound | undefined;
        return inner.subscribe(filter, options, (message) => {
          if (held === undefined) held = message;
          else {
            on(message);
            on(held);
            held = undefined;
          }
        });
      },
    }),
  ],
  [
    'reads payloads as text',
    ['payload.binary'],
    receiving((message, on) => {
      const text = new TextDecoder().decode(message.payload);
      on({ ...message, payload: new TextEncoder().encode(text) });
    }),
  ],
  [
    'loses headers and keys',
    ['headers.at-most-once', 'headers.at-least-once', 'keys.at-most-once', 'retry.cap'],
    receiving((message, on) => on({ ...message, headers: undefined, key: undefined })),
  ],
  [
    'does not count deliveries',
    ['settle.attempt', 'settle.nack', 'attempts.survive'],
    receiving((message, on) => on({ ...message, attempt: undefined })),
  ],
  [
    'knows no maxInFlight',
    ['settle.max-in-flight'],
    (inner) => ({
      subscribe: (filter, options, on) => inner.subscribe(filter, { ...options, maxInFlight: 1e6 }, on),
    }),
  ],
  [
    'delivers after an intake was closed',
    ['subscribe.close'],
    (inner) => ({
      subscribe: async (...subscription) => {
        await inner.subscribe(...subscription);
        return { close: async () => {} };
      },
    }),
  ],
  [
    'closes an intake before all is settled',
    ['close.intake-waits'],
    (inner) => ({
      subscribe: async (...subscription) => {
        const intake = await inner.subscribe(...subscription);
        return {
          close: async (options) => {
            void intake.close(options);
          },
        };
      },
    }),
  ],
  [
    'forgets its subscriptions with the connection',
    ['loss.subscription', 'loss.ready-is-ready', 'loss.group'],
    (inner) => {
      const intakes: { close(): Promise<void> }[] = [];
      return {
        connect: (options) =>
          inner.connect({
            ...options,
            onEvent: (event) => {
              if (event.type === 'status' && event.status.state === 'reconnecting')
                for (const intake of intakes.splice(0)) void intake.close();
              options.onEvent(event);
            },
          }),
        subscribe: async (...subscription) => {
          const intake = await inner.subscribe(...subscription);
          intakes.push(intake);
          return intake;
        },
      };
    },
  ],
  [
    'forgets its services with the connection',
    ['loss.service'],
    (inner) => {
      const services: { close(): Promise<void> }[] = [];
      return {
        connect: (options) =>
          inner.connect({
            ...options,
            onEvent: (event) => {
              if (event.type === 'status' && event.status.state === 'reconnecting')
                for (const service of services.splice(0)) void service.close();
              options.onEvent(event);
            },
          }),
        serve: async (...service) => {
          const intake = await inner.serve(...service);
          services.push(intake);
          return intake;
        },
      };
    },
  ],
  [
    'drops silently while offline',
    ['offline.at-most-once', 'offline.at-least-once'],
    (inner) => ({
      publish: async (...message) => {
        if (inner.status.state === 'ready') await inner.publish(...message);
      },
    }),
  ],
  [
    'keeps requests for later',
    ['loss.request-not-kept', 'respond.offline'],
    (inner) => ({
      openInbox: async (...opening) => {
        const inbox = await inner.openInbox(...opening);
        return {
          claim: () => inbox.claim(),
          release: (target) => inbox.release(target),
          close: () => inbox.close(),
          send: async (...request) => {
            while (inner.status.state === 'reconnecting')
              await new Promise((resolve) => setTimeout(resolve, 1));
            await inbox.send(...request);
          },
        };
      },
    }),
  ],
  [
    'gives answers to the wrong calls',
    ['rpc.out-of-order'],
    (inner) => ({
      openInbox: (options, on) => {
        let held: Inbound | undefined;
        return inner.openInbox(options, (reply) => {
          if (held === undefined) {
            held = reply;
            return;
          }
          on({ ...held, correlationId: reply.correlationId });
          on({ ...reply, correlationId: held.correlationId });
          held = undefined;
        });
      },
    }),
  ],
  [
    'takes the inbox prefix for a suggestion',
    ['inbox.prefix'],
    (inner) => ({ openInbox: (_options, on) => inner.openInbox({}, on) }),
  ],
  [
    'tells nothing of its states',
    ['connect.status', 'loss.status'],
    (inner) => ({ connect: (options) => inner.connect({ ...options, onEvent: () => {} }) }),
  ],
  [
    'never gives up connecting',
    ['connect.timeout', 'connect.fail-fast'],
    (inner) => ({
      connect: (options) => inner.connect({ ...options, failFast: false, timeoutMs: 60_000 }),
    }),
  ],
  [
    'has no deadline when it closes',
    ['close.offline'],
    (inner) => ({
      close: async (options) => {
        while (inner.status.state === 'reconnecting') await new Promise((resolve) => setTimeout(resolve, 1));
        await inner.close(options);
      },
    }),
  ],
  [
    'leaves promises pending when it closes',
    ['close.offline'],
    (inner) => ({
      publish: (...message) =>
        inner.publish(...message).catch((error) => {
          if (error.code === 'CLOSED') return new Promise<void>(() => {});
          throw error;
        }),
    }),
  ],
  [
    'takes + for #',
    ['wildcards.grammar', 'wildcards.grammar-surely'],
    (inner) => ({
      names: {
        address: (name) => inner.names.address(name),
        levels: (...address) => inner.names.levels(...address),
        filter: (name) => inner.names.filter(name).replace(/\/\+$/, '/#'),
      },
    }),
  ],
  [
    'sends to addresses with wildcards',
    ['names.invalid'],
    (inner) => ({ names: { ...inner.names, address: (name) => name.text.replaceAll('.', '/') } }),
  ],
];

test.concurrent.for(mutants)('a transport that %s is found out', async ([, noticed, mutation]) => {
  const failed = await failing(mutation);
  expect(noticed.filter((id) => !failed.includes(id))).toEqual([]);
});

test('a transport that can less than was said is found out', async () => {
  const less = { ...memory().capabilities, retained: { missing: 'forgotten' } };
  expect(await failing(() => ({ capabilities: less }))).toContain('connect.capabilities');
});

test('a transport that accepts what it says it cannot do is found out', async () => {
  const headers = { missing: 'none here' };
  const less = { ...memory().capabilities, headers };
  const failed = await failing(() => ({ capabilities: less }), { headers });
  expect(failed).toContain('headers.at-most-once');
  expect(failed).toContain('headers.at-least-once');
});
