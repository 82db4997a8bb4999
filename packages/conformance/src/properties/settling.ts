import type { Inbound } from '@commlib/core';
import { ensure, equal } from '../check.js';
import { durable, numbers, surely, textOf } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

export const settling: readonly Property[] = [
  {
    id: 'settle.present',
    promise: 'On at-least-once subscriptions a message always has `settle`, on at-most-once ones never.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const sure = await link.collect(name, durable(lab.word()));
      const other = lab.name();
      const perhaps = await link.collect(other);
      await link.publish(name, 'x', surely);
      await link.publish(other, 'x');
      await lab.arrived('message', sure.messages, 1);
      await lab.arrived('message', perhaps.messages, 1);
      equal(typeof sure.messages[0]?.settle, 'function', 'settle of the at-least-once message');
      equal(typeof perhaps.messages[0]?.settle, 'undefined', 'settle of the at-most-once message');
    },
  },
  {
    id: 'settle.attempt',
    promise: '`attempt` is always known on at-least-once subscriptions: 1 on the first delivery.',
    needs: [needs.atLeastOnce, needs.attempts],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()));
      for (const text of numbers(3)) await link.publish(name, text, surely);
      await lab.arrived('messages', got.messages, 3);
      equal(
        got.messages.map(({ attempt }) => attempt),
        [1, 1, 1],
        'the attempts',
      );
      ensure(
        !got.messages.some(({ redelivered }) => redelivered),
        'a first delivery is not marked as redelivered',
      );
    },
  },
  {
    id: 'settle.ack',
    promise: 'Acknowledged: done. It does not come again, not to a later connection either.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, first] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const got = await first.collect(name, durable(group));
      for (const text of ['1', '2']) await from.publish(name, text, surely);
      await lab.arrived('messages', got.texts, 2);
      await first.close();
      const later = await (await lab.connect()).collect(name, durable(group));
      await from.publish(name, '3', surely);
      await lab.arrived('message', later.texts, 1);
      equal(later.texts, ['3'], 'what the later member gets');
    },
  },
  {
    id: 'settle.after-handler',
    promise:
      'A message is settled after its handler: what was not settled when the connection ended comes again.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const [from, first] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const got = await first.collect(name, durable(group), 'hold');
      await from.publish(name, 'x', surely);
      await lab.arrived('message', got.texts, 1);
      await first.close(300);
      const later = await (await lab.connect()).collect(name, durable(group));
      await lab.arrived('message that was not settled', later.texts, 1);
      equal(later.texts, ['x'], 'what the member gets that takes its place');
    },
  },
  {
    id: 'settle.after-loss',
    promise: 'A connection dropped before the settlement: the message comes again once it is back.',
    needs: [needs.atLeastOnce, needs.redelivery],
    controls: ['cut'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()), 'hold');
      await link.publish(name, 'x', surely);
      await lab.arrived('message', got.texts, 1);
      await lab.interrupt(link);
      await lab.arrived('delivery after the loss', got.texts, 2);
      equal(new Set(got.texts).size, 1, 'different messages');
    },
  },
  {
    id: 'settle.redelivered',
    promise:
      '`redelivered`: the broker says that it may have sent the message before; it never says the contrary then.',
    needs: [needs.atLeastOnce, needs.redelivery],
    controls: ['cut'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()), 'hold');
      await link.publish(name, 'x', surely);
      await lab.arrived('message', got.texts, 1);
      ensure(got.messages[0]?.redelivered !== true, 'a first delivery says that it is none');
      await lab.interrupt(link);
      await lab.arrived('delivery after the loss', got.texts, 2);
      ensure(got.messages[1]?.redelivered !== false, 'the second delivery says that it is the first');
    },
  },
  {
    id: 'settle.void',
    promise: 'A call of `settle` after a reconnect is void.',
    needs: [needs.atLeastOnce, needs.redelivery],
    controls: ['cut'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word()), 'hold');
      await link.publish(name, 'x', surely);
      await lab.arrived('message', got.texts, 1);
      const [old] = got.messages;
      await lab.interrupt(link);
      await lab.arrived('delivery after the loss', got.texts, 2);
      old?.settle?.('ack');
      got.messages[1]?.settle?.('nack');
      await lab.arrived('delivery after the refusal', got.texts, 3);
      got.settle('ack');
      await link.publish(name, 'y', surely);
      await lab.until(
        'the connection lives',
        () => got.texts.includes('y'),
        () => got.texts,
      );
    },
  },
  {
    id: 'settle.nack',
    promise: '`nack`: again, counted as the second attempt and the third.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const seen: Inbound[] = [];
      await link.subscribe(name, durable(lab.word()), (message) => {
        seen.push(message);
        message.settle?.(seen.length < 3 ? 'nack' : 'ack');
      });
      await link.publish(name, 'x', surely);
      await lab.arrived('deliveries', seen, 3);
      equal(seen.map(textOf), ['x', 'x', 'x'], 'the messages');
      equal(
        seen.map(({ attempt }) => attempt),
        [1, 2, 3],
        'the attempts',
      );
      ensure(seen[1]?.redelivered !== false, 'the second delivery does not say that it is the first');
    },
  },
  {
    id: 'settle.reject',
    promise: '`reject`: never again.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const group = lab.word();
      const seen: string[] = [];
      const count = (text: string) => seen.filter((one) => one === text).length;
      const intake = await link.subscribe(name, durable(group), (message) => {
        const text = textOf(message);
        seen.push(text);
        if (text === 'poison') message.settle?.('reject');
        // Long enough for the rejected one to come again, if it did.
        else message.settle?.(count(text) < 4 ? 'nack' : 'ack');
      });
      for (const text of ['poison', 'x']) await link.publish(name, text, surely);
      await lab.until(
        'four deliveries of the other',
        () => count('x') === 4,
        () => seen,
      );
      await intake.close();
      const later = await link.collect(name, durable(group));
      await link.publish(name, 'last', surely);
      await lab.until(
        'the last',
        () => later.texts.includes('last'),
        () => later.texts,
      );
      equal(
        [count('poison'), later.texts],
        [1, ['last']],
        'deliveries of the rejected one, and what came later',
      );
    },
  },
  {
    id: 'settle.retry-later',
    promise: '`retryInMs`: again, not before that time.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const at: number[] = [];
      await link.subscribe(name, durable(lab.word()), (message) => {
        at.push(performance.now());
        message.settle?.(at.length === 1 ? { retryInMs: 600 } : 'ack');
      });
      await link.publish(name, 'x', surely);
      await lab.arrived('deliveries', at, 2);
      const waited = (at[1] ?? 0) - (at[0] ?? 0);
      ensure(waited > 590, `came again after ${Math.round(waited)} ms, not after 600`);
    },
  },
  {
    id: 'settle.once',
    promise: 'Only the first call of `settle` counts.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const seen: string[] = [];
      await link.subscribe(name, durable(lab.word()), (message) => {
        const text = textOf(message);
        seen.push(text);
        if (text === 'x' || seen.filter((one) => one === text).length > 2) {
          message.settle?.('ack');
          message.settle?.('nack');
        } else {
          message.settle?.('nack');
          message.settle?.('ack');
        }
      });
      for (const text of ['x', 'y']) await link.publish(name, text, surely);
      await lab.until(
        'three deliveries of y',
        () => seen.filter((one) => one === 'y').length === 3,
        () => seen,
      );
      equal(
        seen.filter((one) => one === 'x'),
        ['x'],
        'deliveries of x',
      );
    },
  },
  {
    id: 'settle.others-go-on',
    promise: 'An unsettled message does not hold up later ones, within `maxInFlight`.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name, durable(lab.word(), 5), 'hold');
      for (const text of numbers(5)) await link.publish(name, text, surely);
      await lab.arrived('messages', got.texts, 5);
      equal(got.texts, numbers(5), 'the messages');
      got.settle('ack');
    },
  },
  {
    id: 'settle.max-in-flight',
    promise:
      'No more than `maxInFlight` messages are unsettled, and when some are settled it goes on until all are done.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const open: Inbound[] = [];
      let most = 0;
      const done = new Set<string>();
      await to.subscribe(name, durable(lab.word(), 3), (message) => {
        open.push(message);
        most = Math.max(most, open.length);
      });
      await Promise.all(numbers(40).map((text) => from.publish(name, text, surely)));
      await lab.until('three messages', () => open.length === 3);
      // What is beyond the limit would overtake a message that is sent now and answered.
      const other = lab.name();
      const marker = await to.collect(other);
      for (const text of numbers(3)) await from.publish(other, text);
      await lab.arrived('messages of another subscription', marker.texts, 3);
      equal(open.length, 3, 'unsettled messages after a pause');
      while (done.size < 40) {
        await lab.until(`a message after ${done.size}`, () => open.length > 0);
        const message = open.shift();
        if (message) done.add(textOf(message));
        message?.settle?.('ack');
      }
      equal(most, 3, 'most messages unsettled at once');
    },
  },
  {
    id: 'settle.checkpoint',
    promise:
      'Settled out of order: after the connection ended what was not acknowledged comes again, and nothing before it.',
    needs: [needs.atLeastOnce, needs.redelivery],
    async test(lab) {
      const [from, first] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const got = await first.collect(name, durable(group, 10), 'hold');
      for (const text of ['A', 'B', 'C', 'D', 'E']) await from.publish(name, text, surely);
      await lab.arrived('messages', got.texts, 5);
      for (const i of [0, 1, 3]) got.messages[i]?.settle?.('ack');
      await first.close(Math.min(3_000, lab.patienceMs / 6));
      const later = await (await lab.connect()).collect(name, durable(group, 10));
      await lab.until(
        'C and E',
        () => later.texts.includes('C') && later.texts.includes('E'),
        () => later.texts,
      );
      await from.publish(name, 'F', surely);
      await lab.until(
        'F',
        () => later.texts.includes('F'),
        () => later.texts,
      );
      // D was acknowledged after C was not: protocols that acknowledge a prefix send it again.
      equal(
        later.texts.filter((text) => text !== 'D'),
        ['C', 'E', 'F'],
        'what comes again',
      );
    },
  },
];
