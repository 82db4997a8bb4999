import { type Inbound, memory, Node, rpc, type Transport } from '@commlib/core';
import { amqp } from '@commlib/transport-amqp';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, sharedRabbitmq, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, plain, rejection, text, unique } from './links.js';

const one = { maxInFlight: 1 };

/** Answers each request with its own body. */
function echo(transport: Transport): (request: Inbound) => void {
  return (request) => {
    const target = { replyTo: request.replyTo ?? '', correlationId: request.correlationId };
    void transport.respond(request, target, request.payload).then(() => request.settle?.('ack'));
  };
}

const adding = (name: string) =>
  rpc(name, { request: z.object({ a: z.number() }), response: z.object({ b: z.number() }) });

describeOn('rabbitmq', () => {
  let url: string;
  beforeAll(async () => {
    url = (await sharedRabbitmq()).url;
  });

  test('thousands of calls in flight, each gets its own answer', async () => {
    await using link = await connected(url);
    const name = unique();
    await link.transport.serve(name, { maxInFlight: 64 }, echo(link.transport));
    const answers = new Map<string, string>();
    const inbox = await link.transport.openInbox(
      {},
      (reply) => void answers.set(reply.correlationId ?? '', text(reply)),
    );
    await Promise.all(
      Array.from({ length: 5000 }, (_, n) => {
        const target = inbox.claim();
        return inbox.send(name, bytes(`${target.correlationId}=${n}`), target);
      }),
    );
    await until(() => answers.size === 5000, { what: 'all answers' });
    for (const [id, answer] of answers) expect(answer.split('=')[0]).toBe(id);
    await inbox.close();
  });

  test('nobody serves: told at once; a service that is slow: not', async () => {
    await using link = await connected(url);
    const name = unique();
    const inbox = await link.transport.openInbox({}, () => {});
    const target = inbox.claim();
    const begun = performance.now();
    expect(await rejection(inbox.send(name, bytes('x'), target))).toMatchObject({ code: 'NO_RECEIVER' });
    expect(performance.now() - begun).toBeLessThan(5000);
    await link.transport.serve(name, one, () => {});
    await inbox.send(name, bytes('x'), inbox.claim());
    await inbox.close();
  });

  test('an inbox prefix is kept: a queue of that name', async () => {
    await using link = await connected(url);
    const name = unique();
    const replies: Inbound[] = [];
    await link.transport.serve(name, one, echo(link.transport));
    const inbox = await link.transport.openInbox(
      { prefix: 'allowed.replies' },
      (reply) => void replies.push(reply),
    );
    const target = inbox.claim();
    expect(target.replyTo).toMatch(/^allowed\.replies\.rpc-[0-9a-f]{32}$/);
    await inbox.send(name, bytes('x'), target);
    await until(() => replies.length === 1, { what: 'the answer' });
    expect(replies[0]?.correlationId).toBe(target.correlationId);
    await inbox.close();
  });

  test('a second service of a name is refused, unless both compete', async () => {
    await using a = await connected(url);
    await using b = await connected(url);
    const name = unique();
    const intake = await a.transport.serve(name, one, () => {});
    expect(await rejection(b.transport.serve(name, one, () => {}))).toMatchObject({
      code: 'RESOURCE_LOCKED',
    });
    await intake.close();
    const served = { a: 0, b: 0 };
    const compete = { maxInFlight: 1, mode: 'compete' } as const;
    await a.transport.serve(name, compete, (request) => {
      served.a++;
      echo(a.transport)(request);
    });
    await b.transport.serve(name, compete, (request) => {
      served.b++;
      echo(b.transport)(request);
    });
    const inbox = await a.transport.openInbox({}, () => {});
    await Promise.all(Array.from({ length: 50 }, () => inbox.send(name, bytes('x'), inbox.claim())));
    await until(() => served.a + served.b === 50, { what: 'all of them' });
    expect(Math.min(served.a, served.b)).toBeGreaterThan(0);
    expect(await rejection(b.transport.serve(name, { ...one, mode: 'all' }, () => {}))).toMatchObject({
      code: 'UNSUPPORTED',
    });
  });

  test('after a cut that the broker has not noticed, the exclusive queue is waited for', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    await using link = await connected(through(proxy, url), { heartbeatMs: 1000 });
    await using from = await connected(url);
    const name = unique();
    await link.transport.serve(name, one, echo(link.transport));
    const replies: string[] = [];
    const inbox = await from.transport.openInbox({}, (reply) => void replies.push(text(reply)));
    // Half-open: the broker's side of the connection stays until it misses heartbeats itself.
    proxy.pause();
    await until(() => link.transport.status.state === 'reconnecting', {
      what: 'the loss',
      timeoutMs: 15_000,
    });
    proxy.resume();
    await until(() => link.transport.status.state === 'ready', { what: 'ready again', timeoutMs: 25_000 });
    await inbox.send(name, bytes('back'), inbox.claim());
    await until(() => replies.includes('back'), { what: 'an answer' });
  }, 60_000);

  test('requests without an envelope are data, and answered in kind; a request with one as well', async () => {
    const service = await new Node({ transport: amqp(url) }).start();
    const caller = await new Node({ transport: amqp(url) }).start();
    await using peer = await plain(url);
    try {
      const name = unique();
      const add = adding(name);
      await service.serve(add, ({ a }) => {
        if (a < 0) throw new Error('too small');
        return { b: a + 1 };
      });
      expect(await caller.client(add, { body: 'raw' }).call({ a: 1 })).toEqual({ b: 2 });
      expect(await caller.client(add).call({ a: 1 })).toEqual({ b: 2 });
      // The bytes, as a commlib-py of 0.13.1 sends and gets them: no correlation id, a timestamp of nanoseconds.
      const bodies: string[] = [];
      const { queue } = await peer.channel.assertQueue('', { exclusive: true });
      await peer.channel.consume(queue, (message) => message && bodies.push(message.content.toString()), {
        noAck: true,
      });
      const options = { replyTo: queue, timestamp: 1_795_361_154_842_557_000 };
      for (const body of ['{"a":4}', '{"a":-1}', 'not JSON', '{"a":5}'])
        peer.channel.sendToQueue(name, Buffer.from(body), options);
      await until(() => bodies.length === 3, { what: 'the answers' });
      expect(bodies).toEqual(['{"b":5}', '{}', '{"b":6}']);
      await expect(caller.client(add, { body: 'raw' }).call({ a: -1 })).rejects.toMatchObject({
        code: 'INVALID_DATA',
      });
      const other = await new Node({ transport: memory() }).start();
      expect(() => other.client(add, { body: 'raw' })).toThrow(/without an envelope/);
      await other.close();
    } finally {
      await caller.close();
      await service.close();
    }
  });

  test('however requests end, the service goes on: each of them is acknowledged', async () => {
    const service = await new Node({ transport: amqp(url) }).start();
    const caller = await new Node({ transport: amqp(url) }).start();
    await using peer = await plain(url);
    try {
      const name = unique();
      const add = adding(name);
      await service.serve(add, ({ a }) => ({ b: a + 1 }), { concurrency: 2 });
      for (const body of ['not JSON', '{"a":1}', '[]', '{"header":{},"data":{}}', ''])
        for (let n = 0; n < 5; n++) peer.channel.sendToQueue(name, Buffer.from(body));
      for (let n = 0; n < 5; n++)
        peer.channel.sendToQueue(name, Buffer.from('{"a":1}'), { replyTo: 'amq.rabbitmq.reply-to.nobody' });
      expect(await caller.client(add).call({ a: 1 })).toEqual({ b: 2 });
    } finally {
      await caller.close();
      await service.close();
    }
  });

  test('calls in flight fail with the loss, the next ones work', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    const service = await new Node({ transport: amqp(url) }).start();
    const caller = await new Node({
      transport: amqp(through(proxy, url), { backoff: { minMs: 10 } }),
    }).start();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    try {
      const add = adding(unique());
      let served = 0;
      await service.serve(add, async ({ a }) => {
        served++;
        if (a === 0) await released;
        return { b: a + 1 };
      });
      const client = caller.client(add);
      const lost = Array.from({ length: 10 }, () => rejection(client.call({ a: 0 })));
      await until(() => served === 10, { what: 'all ten in flight' });
      proxy.cut();
      for (const error of await Promise.all(lost)) expect(error).toMatchObject({ code: 'CONNECTION_LOST' });
      release();
      await until(() => caller.status.state === 'ready', { what: 'ready again' });
      expect(await client.call({ a: 1 })).toEqual({ b: 2 });
    } finally {
      release();
      await caller.close();
      await service.close();
    }
  });
});
