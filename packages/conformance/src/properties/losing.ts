import { anything, type NodeEvent, rpc, topic } from '@commlib/core';
import { ensure, equal, quiet, rejects } from '../check.js';
import { durable, type Lab, type Link, numbers, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

const procedure = (lab: Lab) => rpc(lab.name(), { request: anything, response: anything });

/** Until two connections of one bench are both back, what one sends the other may miss. */
async function bothReady(lab: Lab, ...links: readonly Link[]): Promise<void> {
  await lab.interrupt(...links);
}

export const losing: readonly Property[] = [
  {
    id: 'loss.status',
    promise: 'On loss it reconnects: ready, reconnecting with the reason, ready again and counted.',
    controls: ['cut'],
    async test(lab) {
      const link = await lab.connect();
      await lab.interrupt(link);
      const { status } = link.transport;
      ensure(status.state === 'ready' && status.reconnects >= 1, 'ready, after at least one reconnect');
      equal(link.states.slice(0, 3), ['connecting', 'ready', 'reconnecting'], 'the first states');
      const [lost] = link.events.flatMap((event) =>
        event.type === 'status' && event.status.state === 'reconnecting' ? [event.status] : [],
      );
      ensure(lost?.error instanceof Error, 'the loss has a reason');
      await link.close();
      equal(link.states.at(-1), 'closed', 'the last state');
    },
  },
  {
    id: 'loss.subscription',
    promise: 'Every subscription is restored before the transport says `ready` again.',
    controls: ['cut'],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const names = [lab.name(), lab.name(), lab.name()];
      const all = await Promise.all(names.map((name) => to.collect(name)));
      for (const round of ['1', '2']) {
        await bothReady(lab, from, to);
        for (const name of names) await from.publish(name, round);
        for (const got of all)
          await lab.until(
            `what was sent after loss ${round}`,
            () => got.texts.at(-1) === round,
            () => got.texts,
          );
      }
      for (const got of all) equal(got.texts, ['1', '2'], 'the messages');
    },
  },
  {
    id: 'loss.ready-is-ready',
    promise:
      '`ready` means that everything is restored: what is published in that very moment is not missed.',
    controls: ['cut'],
    async test(lab) {
      const link = lab.link();
      const name = lab.name();
      const published: Promise<void>[] = [];
      let losses = 0;
      await link.connect({
        onEvent: (event) => {
          if (event.type === 'status' && event.status.state === 'ready' && event.status.reconnects > 0)
            published.push(link.publish(name, `${losses++}`));
        },
      });
      const got = await link.collect(name);
      await lab.interrupt(link);
      await lab.until('the message', () => got.texts.length >= 1);
      await Promise.all(published);
    },
  },
  {
    id: 'loss.closed-intake',
    promise: 'What was closed is not restored.',
    controls: ['cut'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const [gone, kept] = [await link.collect(name), await link.collect(name)];
      await gone.intake.close();
      await lab.interrupt(link);
      await link.publish(name, 'x');
      await lab.arrived('message', kept.texts, 1);
      equal([gone.texts, kept.texts], [[], ['x']], 'the closed one, and the other');
    },
  },
  {
    id: 'loss.group',
    promise: 'Durable groups are restored: what was published meanwhile comes, none is missing.',
    needs: [needs.atLeastOnce],
    controls: ['cut'],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word()));
      const sent = numbers(100);
      for (const [i, text] of sent.entries()) {
        const publishing = from.publish(name, text, surely);
        if (i % 30 === 15) await lab.cut();
        await publishing;
      }
      await lab.until(
        'every message',
        () => new Set(got.texts).size === sent.length,
        () => sent.filter((text) => !got.texts.includes(text)).slice(0, 10),
      );
    },
  },
  {
    id: 'loss.hung-up',
    promise:
      'A connection that the broker ends in good order is a loss like any other: at-least-once publishing goes on through it.',
    needs: [needs.atLeastOnce],
    controls: ['hangUp'],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word()));
      const sent: string[] = [];
      let over = false;
      // All the time, so that it meets the moment in which the end has come and is not yet dealt with.
      const publish = async (i: number) => {
        while (!over) {
          const text = `${i}/${sent.length}`;
          sent.push(text);
          await from.publish(name, text, surely);
        }
      };
      const publishing = Array.from({ length: 20 }, (_, i) => quiet(publish(i)));
      try {
        for (const losses of [1, 2, 3]) {
          const begun = sent.length;
          await lab.until('some messages', () => sent.length > begun + 100);
          const before = from.states.length;
          await lab.hangUp();
          await lab.until(`loss ${losses} noticed`, () => from.states.length > before);
          await lab.ready(from, to);
        }
      } finally {
        over = true;
      }
      await Promise.all(publishing);
      await lab.until(
        'every message',
        () => new Set(got.texts).size === sent.length,
        () => sent.filter((text) => !got.texts.includes(text)).slice(0, 10),
      );
    },
  },
  {
    id: 'loss.service',
    promise: 'Every service and inbox is restored before the transport says `ready` again.',
    controls: ['cut'],
    async test(lab) {
      const states: string[][] = [[], []];
      const node = (i: number) =>
        lab.node({
          onEvent: (event: NodeEvent) => {
            if (event.type === 'status') states[i]?.push(event.status.state);
          },
        });
      const [server, caller] = [await node(0), await node(1)];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      equal(await client.call('before'), 'before', 'the answer before the loss');
      const before = states.map((one) => one.length);
      await lab.cut();
      await lab.until('the loss noticed', () => states.every((one, i) => one.length > (before[i] ?? 0)));
      await lab.until('ready again', () => states.every((one) => one.at(-1) === 'ready'));
      equal(await client.call('after'), 'after', 'the answer after the loss');
    },
  },
  {
    id: 'loss.calls',
    promise: 'Calls in flight at a loss end at once with `CONNECTION_LOST`, not by their deadline.',
    controls: ['block'],
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let asked = 0;
      await server.serve(contract, () => {
        asked++;
        return lab.never();
      });
      const client = caller.client(contract, { timeoutMs: 300_000 });
      const calls = numbers(3).map((text) => rejects(client.call(text), 'CONNECTION_LOST', 'a call'));
      await lab.until('three requests', () => asked === 3);
      await lab.block();
      await Promise.all(calls);
    },
  },
  {
    id: 'loss.request-not-kept',
    promise:
      'A request is never kept for later: offline it rejects at once, and is not sent when the broker is back.',
    controls: ['block'],
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const asked: unknown[] = [];
      await server.serve(contract, (data) => {
        asked.push(data);
        return data;
      });
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      await client.call('1');
      await lab.block();
      await lab.until('the loss noticed', () => caller.status.state !== 'ready');
      const begun = performance.now();
      await rejects(client.call('2'), 'NOT_CONNECTED', 'a call while offline');
      ensure(performance.now() - begun < 2_000, 'it took more than 2 s to reject');
      await lab.unblock();
      await lab.until('ready again', () => [server, caller].every(({ status }) => status.state === 'ready'));
      equal(await client.call('3'), '3', 'the answer');
      equal(asked, ['1', '3'], 'the requests');
    },
  },
  {
    id: 'offline.at-most-once',
    promise: 'At-most-once publishing rejects while offline.',
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      await lab.offline(link);
      await rejects(link.publish(lab.name(), 'x'), 'NOT_CONNECTED', 'publishing');
    },
  },
  {
    id: 'offline.at-least-once',
    promise: 'At-least-once publishing waits while offline, and resolves when the broker is back and has it.',
    needs: [needs.atLeastOnce],
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()));
      await lab.offline(link);
      const sent = numbers(20);
      const publishing = sent.map((text) => quiet(link.publish(name, text, surely)));
      equal(await lab.settles(Promise.race(publishing), 50), false, 'settled while offline');
      await lab.unblock();
      await Promise.all(publishing);
      await lab.until(
        'all messages',
        () => new Set(got.texts).size === sent.length,
        () => got.texts,
      );
      // In whatever order: what reached the group before it was restored may come after the rest.
      equal([...new Set(got.texts)].sort(), [...sent].sort(), 'the messages');
    },
  },
  {
    id: 'offline.buffer',
    promise: 'The buffer is bounded: beyond it publishing rejects, and what it took is sent.',
    needs: [needs.atLeastOnce],
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect({ maxBuffered: 5 });
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()));
      await lab.offline(link);
      const texts: string[] = [];
      const publishing: Promise<void>[] = [];
      let refused = false;
      while (!refused && texts.length < 50_000) {
        for (const text of numbers(10, `${texts.length} `)) {
          const done = link.publish(name, text, surely);
          done.catch(() => {
            refused = true;
          });
          texts.push(text);
          publishing.push(done);
        }
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      ensure(refused, 'fifty thousand messages were taken while offline');
      await lab.unblock();
      const ends = await Promise.allSettled(publishing);
      const codes = new Set(
        ends.flatMap((end) => (end.status === 'rejected' ? [String(end.reason?.code)] : [])),
      );
      equal([...codes], ['BUFFER_FULL'], 'with what those are rejected that were not taken');
      const kept = texts.filter((_, i) => ends[i]?.status === 'fulfilled');
      await lab.until(
        'all that was taken',
        () => new Set(got.texts).size >= kept.length,
        () => got.texts.length,
      );
      equal([...new Set(got.texts)].sort(), [...kept].sort(), 'the messages');
    },
  },
  {
    id: 'offline.abort',
    promise: 'A signal gives up waiting for the broker.',
    needs: [needs.atLeastOnce],
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      await lab.offline(link);
      const abort = new AbortController();
      const publishing = link.publish(lab.name(), 'x', { ...surely, signal: abort.signal });
      abort.abort(new Error('enough'));
      const error = await rejects(publishing, 'ABORTED', 'publishing');
      ensure(
        error.cause instanceof Error && error.cause.message === 'enough',
        'its cause is the reason given',
      );
    },
  },
  {
    id: 'offline.long',
    promise: 'A broker that is away for a while: everything goes on when it is back.',
    needs: [needs.wildcards],
    controls: ['block'],
    async test(lab) {
      const node = await lab.node();
      const contract = topic(`${lab.name()}.{id}`, anything);
      const seen: unknown[] = [];
      await node.subscribe(contract, (data) => seen.push(data));
      const publisher = node.publisher(contract, { params: { id: '1' } });
      await publisher.publish('before');
      await lab.arrived('message', seen, 1);
      await lab.block();
      const { transport } = node;
      const attempt = () => (transport.status.state === 'reconnecting' ? transport.status.attempt : 0);
      await lab.until('three attempts in vain', () => attempt() >= 3);
      await lab.unblock();
      await lab.until('ready again', () => transport.status.state === 'ready');
      await publisher.publish('after');
      await lab.until(
        'the message',
        () => seen.length === 2,
        () => seen,
      );
      equal(seen, ['before', 'after'], 'the messages');
    },
  },
];
