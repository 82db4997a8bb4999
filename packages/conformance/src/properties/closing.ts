import { anything, rpc, topic } from '@commlib/core';
import { ensure, equal, rejects } from '../check.js';
import { durable, numbers, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

/** Closing takes no longer than its deadline, and a little for a busy machine. While the process stands still, no time counts. */
async function inTime(closing: Promise<void>, deadlineMs: number): Promise<void> {
  const begun = performance.now();
  let stoodStillMs = 0;
  let last = begun;
  const clock = setInterval(() => {
    const now = performance.now();
    stoodStillMs += Math.max(0, now - last - CLOCK_MS);
    last = now;
  }, CLOCK_MS);
  try {
    await closing;
  } finally {
    clearInterval(clock);
  }
  const took = performance.now() - begun - stoodStillMs;
  ensure(took < deadlineMs + 1_000, `closing took ${Math.round(took)} ms, its deadline was ${deadlineMs}`);
}

const CLOCK_MS = 10;

/** Publishes more than goes out at once, so that something is pending. */
function pending(publish: (text: string) => Promise<void>): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(numbers(50).map(publish));
}

export const closing: readonly Property[] = [
  {
    id: 'close.twice',
    promise: 'A second `close` waits for the first, and is harmless.',
    async test(lab) {
      const link = await lab.connect();
      await link.collect(lab.name());
      await Promise.all([link.close(), link.close()]);
      await link.close();
      equal(link.states, ['connecting', 'ready', 'closed'], 'the states');
    },
  },
  {
    id: 'close.idle',
    promise: 'A transport that was never connected can be closed.',
    async test(lab) {
      const link = lab.link();
      await inTime(link.close(1_000), 1_000);
      equal(link.transport.status.state, 'closed', 'the state');
    },
  },
  {
    id: 'close.connecting',
    promise: '`close` settles a `connect` that is under way.',
    controls: ['block'],
    async test(lab) {
      await lab.block();
      const link = lab.link();
      const connecting = rejects(link.connect({ timeoutMs: 60_000 }), 'CLOSED', 'connecting');
      await inTime(link.close(1_000), 1_000);
      await connecting;
    },
  },
  {
    id: 'close.flushes',
    promise: '`close` flushes what was accepted for publishing.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word()));
      const sent = numbers(100);
      const publishing = Promise.allSettled(sent.map((text) => from.publish(name, text, surely)));
      await from.close(10_000);
      const failed = (await publishing).filter(({ status }) => status === 'rejected');
      equal(failed.length, 0, 'messages that were not sent');
      await lab.until(
        'all messages',
        () => new Set(got.texts).size === sent.length,
        () => got.texts.length,
      );
    },
  },
  {
    id: 'close.delivers-nothing',
    promise: 'A closed transport delivers nothing more.',
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const [closed, open] = [await to.collect(name), await from.collect(name)];
      await to.close();
      for (const text of ['1', '2']) await from.publish(name, text);
      await lab.arrived('messages', open.texts, 2);
      equal(closed.texts, [], 'the messages of the closed one');
    },
  },
  {
    id: 'close.offline',
    promise:
      '`close` never takes longer than its deadline, with the broker gone, and settles every promise still pending.',
    needs: [needs.atLeastOnce],
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      await link.collect(name, durable(lab.word()));
      await lab.offline(link);
      const publishing = pending((text) => link.publish(name, text, surely));
      await inTime(link.close(500), 500);
      const ends = await publishing;
      equal(ends.filter(({ status }) => status === 'fulfilled').length, 0, 'messages that seem to be sent');
      equal(link.transport.status.state, 'closed', 'the state');
    },
  },
  {
    id: 'close.silent',
    promise: '`close` never takes longer than its deadline, with a link on which nothing passes any more.',
    needs: [needs.atLeastOnce],
    controls: ['silence'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      await link.collect(name, durable(lab.word()));
      await link.collect(lab.name());
      await lab.bench.silence?.();
      const publishing = pending((text) => link.publish(name, text, surely));
      await inTime(link.close(1_000), 1_000);
      await publishing;
      equal(link.transport.status.state, 'closed', 'the state');
    },
  },
  {
    id: 'close.intake-waits',
    promise: '`close` of an intake resolves when all that was delivered is settled; it may still be settled.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const group = lab.word();
      const got = await link.collect(name, durable(group), 'hold');
      await link.publish(name, '1', surely);
      await lab.arrived('message', got.texts, 1);
      const closing = got.intake.close();
      equal(await lab.settles(closing, 150), false, 'closed before the message was settled');
      got.settle('ack');
      await closing;
      const later = await link.collect(name, durable(group));
      await link.publish(name, '2', surely);
      await lab.arrived('message', later.texts, 1);
      equal(later.texts, ['2'], 'what comes after it');
    },
  },
  {
    id: 'close.intake-offline',
    promise: '`close` of an intake resolves at once when offline.',
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      const got = await link.collect(lab.name());
      await lab.offline(link);
      await inTime(got.intake.close(), 1_000);
    },
  },
  {
    id: 'close.drains',
    promise: 'Shutdown is orderly: handlers finish, their messages are settled, then the connection closes.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [node, other] = [await lab.node(), await lab.node()];
      const contract = topic(lab.name(), anything, { delivery: 'at-least-once' });
      const group = lab.word();
      const done: unknown[] = [];
      let finish = () => {};
      let begun = false;
      await node.subscribe(
        contract,
        async (data) => {
          begun = true;
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          done.push(data);
        },
        { group },
      );
      await other.publisher(contract).publish('slow');
      await lab.until('the handler runs', () => begun);
      const closing = node.close();
      equal(await lab.settles(closing, 50), false, 'closed while the handler runs');
      finish();
      await closing;
      equal(done, ['slow'], 'handled');
      const later: unknown[] = [];
      await other.subscribe(contract, (data) => later.push(data), { group });
      await other.publisher(contract).publish('next');
      await lab.arrived('message', later, 1);
      equal(later, ['next'], 'what the next member gets');
    },
  },
  {
    id: 'close.calls',
    promise: '`close` settles calls that are pending.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = rpc(lab.name(), { request: anything, response: anything });
      let asked = 0;
      await server.serve(contract, () => {
        asked++;
        return lab.never();
      });
      const call = rejects(caller.client(contract, { timeoutMs: 300_000 }).call('x'), 'CLOSED', 'the call');
      await lab.until('the request', () => asked === 1);
      await caller.close();
      await call;
      await server.close({ deadlineMs: 100 });
    },
  },
];
