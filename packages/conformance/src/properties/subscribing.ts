import { ensure, equal } from '../check.js';
import { durable, lossy, numbers, surely, textOf } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

export const subscribing: readonly Property[] = [
  {
    id: 'subscribe.nothing-missed',
    promise: 'When `subscribe` resolves, nothing published afterwards is missed while connected.',
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      for (let round = 0; round < 3; round++) {
        const name = lab.name();
        const got = await to.collect(name);
        await from.publish(name, 'first');
        await lab.arrived('message published at once', got.texts, 1);
        equal(got.texts, ['first'], 'the messages');
      }
    },
  },
  {
    id: 'subscribe.nothing-missed-surely',
    promise: 'The same for a new durable group.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      for (let round = 0; round < 2; round++) {
        const name = lab.name();
        const got = await to.collect(name, durable(lab.word()));
        await from.publish(name, 'first', surely);
        await lab.arrived('message published at once', got.texts, 1);
        equal(got.texts, ['first'], 'the messages');
      }
    },
  },
  {
    id: 'subscribe.from-now-on',
    promise: 'A new subscription gets what is published from now on, not what was before.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const before = await link.collect(name);
      await link.publish(name, 'before');
      await lab.arrived('message', before.texts, 1);
      const got = await link.collect(name);
      await link.publish(name, 'after');
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['after'], 'the messages of the later subscription');
    },
  },
  {
    id: 'subscribe.from-now-on-surely',
    promise:
      'What was sent before the durable group existed is not promised, and with `start` unsaid not delivered.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      await link.publish(name, 'before', surely);
      const got = await link.collect(name, durable(lab.word()));
      await link.publish(name, 'after', surely);
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['after'], 'the messages');
    },
  },
  {
    id: 'subscribe.close',
    promise: 'Nothing is delivered after `close` of an intake was called; other subscriptions go on.',
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const [closed, open] = [await to.collect(name), await to.collect(name)];
      await from.publish(name, '1');
      await lab.arrived('message', closed.texts, 1);
      const closing = closed.intake.close();
      await from.publish(name, '2');
      await closing;
      await from.publish(name, '3');
      await lab.arrived('messages', open.texts, 3);
      equal([closed.texts, open.texts], [['1'], ['1', '2', '3']], 'the closed one, and the other');
    },
  },
  {
    id: 'subscribe.close-twice',
    promise: 'A second `close` of an intake is harmless.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      await Promise.all([got.intake.close(), got.intake.close()]);
      await got.intake.close();
      const again = await link.collect(name);
      await link.publish(name, 'x');
      await lab.arrived('message', again.texts, 1);
      equal([got.texts, again.texts], [[], ['x']], 'the closed one, and a new one');
    },
  },
  {
    id: 'subscribe.again',
    promise: 'What was closed can be subscribed to anew: nothing is missed then either.',
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      for (const round of numbers(4)) {
        const got = await to.collect(name);
        await from.publish(name, round);
        await lab.arrived('message', got.texts, 1);
        equal(got.texts, [round], 'the messages');
        await got.intake.close();
      }
    },
  },
  {
    id: 'subscribe.overlapping',
    promise: 'Overlapping subscriptions of one connection get one copy each.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name('a', 'b');
      const wild = needs.wildcards.missing(lab.capabilities) === undefined;
      const parent = name.replace(/\.a\.b$/, '');
      const filters = wild ? [name, name, `${parent}.+.b`, `${parent}.#`] : [name, name];
      const all = await Promise.all(filters.map((filter) => link.collect(filter)));
      for (const text of ['1', '2']) await link.publish(name, text);
      for (const [i, got] of all.entries()) {
        await lab.arrived(`messages of ${filters[i]}`, got.texts, 2);
        equal(got.texts, ['1', '2'], `the messages of ${filters[i]}`);
      }
    },
  },
  {
    id: 'subscribe.order',
    promise:
      'Handlers are called one message at a time, in the order the broker delivered: that of one publisher on one topic.',
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name);
      const sent = numbers(300);
      await Promise.all(sent.map((text) => from.publish(name, text)));
      await lab.arrived('messages', got.texts, sent.length);
      equal(got.texts, sent, 'the messages');
    },
  },
  {
    id: 'subscribe.order-surely',
    promise: 'The same at least once.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word(), 20));
      const sent = numbers(300);
      await Promise.all(sent.map((text) => from.publish(name, text, surely)));
      await lab.arrived('messages', got.texts, sent.length);
      equal(got.texts, sent, 'the messages');
    },
  },
  {
    id: 'subscribe.order-per-key',
    promise: 'The ordering key keeps the messages that bear it in order.',
    needs: [needs.keys('at-least-once'), needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word()));
      const keys = ['a', 'b', 'c'];
      const sent = numbers(60);
      await Promise.all(
        sent.flatMap((text) => keys.map((key) => from.publish(name, text, { ...surely, key }))),
      );
      await lab.arrived('messages', got.messages, sent.length * keys.length);
      for (const key of keys) {
        const of = got.messages.filter((message) => message.key === key).map(textOf);
        equal(of, sent, `the messages of key ${key}`);
      }
    },
  },
  {
    id: 'subscribe.one-at-a-time',
    promise: 'Handlers are called synchronously, never one within another.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      let within = 0;
      let nested = false;
      let handled = 0;
      await link.subscribe(name, lossy, (message) => {
        nested ||= within > 0;
        within++;
        // What a handler publishes to its own topic comes after it, not inside it.
        if (textOf(message) === 'first') for (const text of ['2', '3']) void link.publish(name, text);
        within--;
        handled++;
      });
      await link.publish(name, 'first');
      await lab.until(
        'three messages',
        () => handled === 3,
        () => handled,
      );
      ensure(!nested, 'a handler was called while another ran');
    },
  },
  {
    id: 'subscribe.hundred',
    promise: 'One connection holds any number of subscriptions.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const all = await Promise.all(numbers(100).map(() => link.collect(name)));
      await link.publish(name, 'x');
      for (const got of all) await lab.arrived('message', got.texts, 1);
      equal(
        all.map((got) => got.texts.length),
        all.map(() => 1),
        'copies of each subscription',
      );
    },
  },
];
