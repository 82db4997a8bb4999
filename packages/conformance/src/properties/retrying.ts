import { anything, has, type Message, type NodeEvent, topic } from '@commlib/core';
import { ensure, equal } from '../check.js';
import { bytes, durable, type Lab, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

const alo = { delivery: 'at-least-once' } as const;
const known = [needs.atLeastOnce, needs.redelivery, needs.attempts];

/** A topic, the topic of its dead letters, and a group that keeps those. */
async function graveyard(lab: Lab) {
  const node = await lab.node();
  const letters: Message<unknown>[] = [];
  const dead = lab.name();
  await node.subscribe(topic(dead, anything, alo), (_, message) => letters.push(message), {
    group: lab.word(),
  });
  return { node, dead, letters, work: topic(lab.name(), anything, alo) };
}

export const retrying: readonly Property[] = [
  {
    id: 'retry.cap',
    promise:
      'A message whose handler always fails is delivered `maxAttempts` times, and then goes to the dead letter.',
    needs: known,
    async test(lab) {
      const { node, dead, letters, work } = await graveyard(lab);
      const attempts: (number | undefined)[] = [];
      await node.subscribe(
        work,
        (data, { attempt }) => {
          if (data !== 'poison') return;
          attempts.push(attempt);
          throw new Error('never');
        },
        { group: lab.word(), retry: { maxAttempts: 3, delayMs: 20 }, deadLetter: dead },
      );
      await node.publisher(work).publish('poison');
      await lab.arrived('dead letter', letters, 1);
      equal(attempts, [1, 2, 3], 'the attempts');
      equal(letters[0]?.data, 'poison', 'the dead letter');
      const { headers } = node.transport.capabilities;
      if (has(headers) && headers.includes('at-least-once'))
        equal(letters[0]?.headers?.['dead-letter-attempts'], '3', 'the attempts it tells of');
    },
  },
  {
    id: 'retry.others-go-on',
    promise: 'A poison message does not hold up the others for ever.',
    needs: known,
    async test(lab) {
      const { node, dead, letters, work } = await graveyard(lab);
      const done: unknown[] = [];
      await node.subscribe(
        work,
        (data) => {
          if (data === 'poison') throw new Error('never');
          done.push(data);
        },
        { group: lab.word(), retry: { maxAttempts: 2, delayMs: 20 }, deadLetter: dead },
      );
      for (const text of ['1', 'poison', '2', '3']) await node.publisher(work).publish(text);
      await lab.arrived('messages', done, 3);
      await lab.arrived('dead letter', letters, 1);
      equal(
        [[...done].sort(), letters.map(({ data }) => data)],
        [['1', '2', '3'], ['poison']],
        'done, and dead',
      );
    },
  },
  {
    id: 'retry.delay',
    promise: 'Between two attempts there is the pause that was asked for.',
    needs: known,
    async test(lab) {
      const node = await lab.node();
      const work = topic(lab.name(), anything, alo);
      const at: number[] = [];
      await node.subscribe(
        work,
        () => {
          at.push(performance.now());
          if (at.length < 3) throw new Error('not yet');
        },
        { group: lab.word(), retry: { delayMs: (attempt) => attempt * 250 } },
      );
      await node.publisher(work).publish('x');
      await lab.arrived('deliveries', at, 3);
      const [first = 0, second = 0, third = 0] = at;
      ensure(second - first > 240, `the second came after ${Math.round(second - first)} ms, not after 250`);
      ensure(third - second > 490, `the third came after ${Math.round(third - second)} ms, not after 500`);
    },
  },
  {
    id: 'dead-letter.rejected',
    promise: 'What a handler rejects goes to the dead letter at once, as the bytes it was.',
    needs: known,
    async test(lab) {
      const { node, dead, letters, work } = await graveyard(lab);
      let handled = 0;
      await node.subscribe(
        work,
        (_, message) => {
          handled++;
          message.reject(new Error('not for me'));
        },
        { group: lab.word(), deadLetter: dead },
      );
      await node.publisher(work).publish({ n: 1 });
      await lab.arrived('dead letter', letters, 1);
      equal([handled, letters[0]?.data], [1, { n: 1 }], 'deliveries, and the dead letter');
    },
  },
  {
    id: 'dead-letter.unreadable',
    promise: 'What cannot be read goes to the dead letter, unchanged, and what comes after it is handled.',
    needs: known,
    async test(lab) {
      const link = await lab.connect();
      const dead = lab.name();
      const buried = await link.collect(dead, durable(lab.word()));
      const node = await lab.node();
      const work = topic(lab.name(), anything, alo);
      const done: unknown[] = [];
      await node.subscribe(work, (data) => done.push(data), { group: lab.word(), deadLetter: dead });
      const address = link.transport.names.address(work.name);
      await link.transport.publish(address, bytes('{"half'), surely);
      await node.publisher(work).publish('good');
      await lab.arrived('dead letter', buried.texts, 1);
      await lab.arrived('good message', done, 1);
      equal([buried.texts, done], [['{"half'], ['good']], 'dead, and done');
    },
  },
  {
    id: 'dead-letter.thrown-away',
    promise: '`deadLetter: false`: what failed too often is thrown away and reported, and never comes again.',
    needs: known,
    async test(lab) {
      const events: NodeEvent[] = [];
      const node = await lab.node({ onEvent: (event) => events.push(event) });
      const work = topic(lab.name(), anything, alo);
      const group = lab.word();
      let failed = 0;
      const subscriber = await node.subscribe(
        work,
        () => {
          failed++;
          throw new Error('never');
        },
        { group, retry: { maxAttempts: 2, delayMs: 20 }, deadLetter: false },
      );
      await node.publisher(work).publish('x');
      await lab.until('the report', () => events.some(({ type }) => type === 'dead-letter'));
      await subscriber.close();
      const later: unknown[] = [];
      await node.subscribe(work, (data) => later.push(data), { group });
      await node.publisher(work).publish('y');
      await lab.arrived('message', later, 1);
      equal([failed, later], [2, ['y']], 'deliveries, and what came later');
    },
  },
  {
    id: 'attempts.survive',
    promise:
      'A count of the broker’s own survives the process: the next one gets the message with its next attempt.',
    needs: [needs.atLeastOnce, needs.redelivery, needs.nativeAttempts],
    async test(lab) {
      const [from, first] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const got = await first.collect(name, durable(group), 'hold');
      await from.publish(name, 'x', surely);
      await lab.arrived('message', got.texts, 1);
      await first.close(300);
      const later = await (await lab.connect()).collect(name, durable(group));
      await lab.arrived('message again', later.messages, 1);
      const attempt = later.messages[0]?.attempt ?? 0;
      ensure(attempt >= 2, `the second delivery says that it is attempt ${attempt}`);
    },
  },
];
