import type { Delivery } from '@commlib/core';
import { ensure, equal, rejects } from '../check.js';
import { durable, type Lab, lossy, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

const optionsFor = (lab: Lab, delivery: Delivery) =>
  delivery === 'at-least-once' ? durable(lab.word()) : lossy;

const MANY = {
  plain: 'text',
  'with-hyphen': 'ü ☃ 𝒳',
  empty: '',
  quoted: '"; \\ = : ,',
  traceparent: '00-1-2-01',
};

const headersTravel = (delivery: Delivery): Property => ({
  id: `headers.${delivery}`,
  promise: 'Headers travel beside the payload, string to string: unicode, empty values, several at once.',
  needs: [needs.headers(delivery)],
  async test(lab) {
    const link = await lab.connect();
    const name = lab.name();
    const got = await link.collect(name, optionsFor(lab, delivery));
    await link.publish(name, 'x', { delivery, headers: MANY });
    await link.publish(name, 'y', { delivery });
    await lab.arrived('messages', got.messages, 2);
    equal(got.messages[0]?.headers, MANY, 'the headers');
    equal(Object.entries(got.messages[1]?.headers ?? {}), [], 'the headers of a message without');
  },
});

const keysTravel = (delivery: Delivery): Property => ({
  id: `keys.${delivery}`,
  promise: 'Messages carry their ordering key; absent means that there is none.',
  needs: [needs.keys(delivery)],
  async test(lab) {
    const link = await lab.connect();
    const name = lab.name();
    const got = await link.collect(name, optionsFor(lab, delivery));
    await link.publish(name, 'x', { delivery, key: 'schlüssel' });
    await link.publish(name, 'y', { delivery });
    await lab.arrived('messages', got.messages, 2);
    const found = new Map(got.messages.map((message, i) => [got.texts[i], message.key]));
    equal([found.get('x'), found.get('y')], ['schlüssel', undefined], 'the keys');
  },
});

const earliest = (delivery: Delivery): Property => ({
  id: `replay.earliest.${delivery}`,
  promise: '`start: earliest` reads everything that is kept, in order, and then what comes.',
  needs: [needs.replay(delivery)],
  async test(lab) {
    const link = await lab.connect();
    const name = lab.name();
    for (const text of ['1', '2', '3']) await link.publish(name, text, { delivery });
    const got = await link.collect(name, { ...optionsFor(lab, delivery), start: 'earliest' });
    await lab.arrived('messages kept', got.texts, 3);
    await link.publish(name, '4', { delivery });
    await lab.arrived('messages', got.texts, 4);
    equal(got.texts, ['1', '2', '3', '4'], 'the messages');
  },
});

const fromPosition = (delivery: Delivery): Property => ({
  id: `replay.position.${delivery}`,
  promise:
    'A message tells its position, and a subscription may start at one: that message comes, and what is after it.',
  needs: [needs.replay(delivery)],
  async test(lab) {
    const link = await lab.connect();
    const name = lab.name();
    const first = await link.collect(name, optionsFor(lab, delivery));
    for (const text of ['1', '2', '3']) await link.publish(name, text, { delivery });
    await lab.arrived('messages', first.messages, 3);
    const position = first.messages[1]?.position;
    ensure(position !== undefined, 'a message of a log has a position');
    const got = await link.collect(name, { ...optionsFor(lab, delivery), start: { position } });
    await lab.arrived('messages from there', got.texts, 2);
    equal(got.texts, ['2', '3'], 'the messages');
  },
});

export const options: readonly Property[] = [
  headersTravel('at-most-once'),
  headersTravel('at-least-once'),
  keysTravel('at-most-once'),
  keysTravel('at-least-once'),
  {
    id: 'retain.kept',
    promise:
      'The broker keeps the last retained message of a topic for later subscribers, who are told that it was kept.',
    needs: [needs.retained],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      // At most once nobody says when the broker has it: whoever is there already does.
      const live = await from.collect(name);
      for (const text of ['old', 'last']) await from.publish(name, text, { retain: true });
      await lab.arrived('messages', live.texts, 2);
      const got = await to.collect(name);
      await lab.arrived('message', got.messages, 1);
      await from.publish(name, 'now');
      await lab.arrived('messages', got.messages, 2);
      equal(
        got.messages.map(({ retained }, i) => [got.texts[i], retained]),
        [
          ['last', true],
          ['now', false],
        ],
        'the messages, and whether they were kept',
      );
    },
  },
  {
    id: 'retain.live',
    promise: 'Whoever subscribes already gets a retained message as one that is sent now.',
    needs: [needs.retained],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      await link.publish(name, 'x', { retain: true });
      await lab.arrived('message', got.messages, 1);
      equal(got.messages[0]?.retained, false, 'retained');
    },
  },
  {
    id: 'expiry.in-time.at-most-once',
    promise: 'A message with an expiry that is not over arrives.',
    needs: [needs.expiry('at-most-once')],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      await link.publish(name, 'x', { expiresInMs: 60_000 });
      await lab.arrived('message', got.texts, 1);
    },
  },
  {
    id: 'expiry.in-time.at-least-once',
    promise: 'The same for one that waits for its durable group.',
    needs: [needs.atLeastOnce, needs.expiry('at-least-once')],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const group = lab.word();
      await (await link.collect(name, durable(group))).intake.close();
      await link.publish(name, 'x', { ...surely, expiresInMs: 60_000 });
      const got = await link.collect(name, durable(group));
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['x'], 'the messages');
    },
  },
  {
    id: 'expiry.over',
    promise:
      'The broker may drop a message that is older than asked: here, one that waited for its durable group.',
    needs: [needs.atLeastOnce, needs.expiry('at-least-once')],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const group = lab.word();
      await (await link.collect(name, durable(group))).intake.close();
      await link.publish(name, 'old', { ...surely, expiresInMs: 1_000 });
      const begun = performance.now();
      // Whole seconds on MQTT, and a broker that looks once a second.
      await lab.until('the time is over', () => performance.now() - begun > 3_000);
      await link.publish(name, 'new', surely);
      const got = await link.collect(name, durable(group));
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['new'], 'the messages');
    },
  },
  {
    id: 'mandatory.nobody',
    promise: '`mandatory` rejects when the broker says that nobody takes the message.',
    needs: [needs.mandatory],
    async test(lab) {
      const link = await lab.connect();
      await rejects(link.publish(lab.name(), 'x', { mandatory: true }), 'NO_RECEIVER', 'publishing');
      if (needs.atLeastOnce.missing(lab.capabilities) === undefined)
        await rejects(
          link.publish(lab.name(), 'x', { ...surely, mandatory: true }),
          'NO_RECEIVER',
          'publishing at least once',
        );
    },
  },
  {
    id: 'mandatory.somebody',
    promise: '`mandatory` resolves when a subscription or a durable group takes the message.',
    needs: [needs.mandatory],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name);
      await from.publish(name, 'x', { mandatory: true });
      await lab.arrived('message', got.texts, 1);
      if (needs.atLeastOnce.missing(lab.capabilities) !== undefined) return;
      const kept = lab.name();
      const group = lab.word();
      await (await to.collect(kept, durable(group))).intake.close();
      await from.publish(kept, 'y', { ...surely, mandatory: true });
      const later = await to.collect(kept, durable(group));
      await lab.arrived('message', later.texts, 1);
    },
  },
  earliest('at-most-once'),
  earliest('at-least-once'),
  fromPosition('at-most-once'),
  fromPosition('at-least-once'),
];
