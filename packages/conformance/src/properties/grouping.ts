import { equal, rejects } from '../check.js';
import { durable, lossy, numbers, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

export const grouping: readonly Property[] = [
  {
    id: 'group.collects',
    promise: 'A durable group stays when its intake is closed, and goes on collecting while nobody is there.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      await (await to.collect(name, durable(group))).intake.close();
      for (const text of ['1', '2']) await from.publish(name, text, surely);
      const again = await to.collect(name, durable(group));
      await lab.arrived('messages kept', again.texts, 2);
      await to.close();
      await from.publish(name, '3', surely);
      const later = await (await lab.connect()).collect(name, durable(group));
      await lab.arrived('message kept', later.texts, 1);
      equal([again.texts, later.texts], [['1', '2'], ['3']], 'the messages of the second and the third');
    },
  },
  {
    id: 'group.forget',
    promise: '`forget` ends the durable group at the broker, with whatever it still holds.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const group = lab.word();
      const first = await link.collect(name, durable(group));
      await first.intake.close();
      await link.publish(name, 'held', surely);
      // A group with one unsettled message of its own would be waited for: this one holds it at the broker.
      const second = await link.collect(name, durable(group));
      await lab.arrived('message', second.texts, 1);
      await second.intake.close({ forget: true });
      await link.publish(name, 'lost', surely);
      const third = await link.collect(name, durable(group));
      await link.publish(name, 'new', surely);
      await lab.until(
        'the new one',
        () => third.texts.includes('new'),
        () => third.texts,
      );
      equal(third.texts, ['new'], 'what a new group of that name gets');
    },
  },
  {
    id: 'group.each-gets-all',
    promise: 'Each of two durable groups gets every message.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, one, two] = [await lab.connect(), await lab.connect(), await lab.connect()];
      const name = lab.name();
      const all = [
        await one.collect(name, durable(lab.word())),
        await two.collect(name, durable(lab.word())),
      ];
      const sent = numbers(30);
      for (const text of sent) await from.publish(name, text, surely);
      for (const got of all) {
        await lab.arrived('messages', got.texts, sent.length);
        equal(got.texts, sent, 'the messages of a group');
      }
    },
  },
  {
    id: 'group.share',
    promise: 'Members of one durable group share its messages: each message reaches one of them.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const members = [await to.collect(name, durable(group)), await to.collect(name, durable(group))];
      const sent = numbers(60);
      for (const text of sent) await from.publish(name, text, surely);
      const all = () => members.flatMap((member) => member.texts);
      await lab.until(
        'all messages',
        () => all().length >= sent.length,
        () => all().length,
      );
      equal(all().sort(), [...sent].sort(), 'the messages of both members');
    },
  },
  {
    id: 'group.share-programs',
    promise: 'Members in several connections share the messages of their durable group, too.',
    needs: [needs.atLeastOnce, needs.durableGroups],
    async test(lab) {
      const [from, one, two] = [
        await lab.connect(),
        await lab.connect({ program: lab.word() }),
        await lab.connect({ program: lab.word() }),
      ];
      const name = lab.name();
      const group = lab.word();
      const members = [await one.collect(name, durable(group)), await two.collect(name, durable(group))];
      const sent = numbers(60);
      for (const text of sent) await from.publish(name, text, surely);
      const all = () => members.flatMap((member) => member.texts);
      await lab.until(
        'all messages',
        () => all().length >= sent.length,
        () => all().length,
      );
      equal(all().sort(), [...sent].sort(), 'the messages of both members');
    },
  },
  {
    id: 'group.member-leaves',
    promise: 'When a member leaves, the others get what comes.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const [one, two] = [await to.collect(name, durable(group)), await to.collect(name, durable(group))];
      for (const text of numbers(10)) await from.publish(name, text, surely);
      const all = () => [...one.texts, ...two.texts];
      await lab.until('ten messages', () => all().length >= 10, all);
      await one.intake.close();
      const before = one.texts.length;
      for (const text of numbers(10, 'later ')) await from.publish(name, text, surely);
      await lab.until('twenty messages', () => new Set(all()).size === 20, all);
      equal(one.texts.length, before, 'messages of the member that left');
    },
  },
  {
    id: 'group.takeover',
    promise:
      'What a member that is gone had not settled goes to the one that takes its place, after what it has settled.',
    needs: [needs.atLeastOnce, needs.redelivery],
    controls: ['cut'],
    async test(lab) {
      const [from, first] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const group = lab.word();
      const got = await first.collect(name, durable(group), 'hold');
      for (const text of numbers(6)) await from.publish(name, text, surely);
      await lab.arrived('messages', got.texts, 6);
      for (const message of got.messages.slice(0, 3)) message.settle?.('ack');
      // Gone for good, without a word: closed while its link is cut.
      await lab.cut();
      await first.close(0);
      const second = await (await lab.connect()).collect(name, durable(group));
      await lab.until(
        'the three that were not settled',
        () => ['3', '4', '5'].every((text) => second.texts.includes(text)),
        () => second.texts,
      );
    },
  },
  {
    id: 'group.once.share',
    promise: 'At most once: the members of one group share its messages, over several connections.',
    needs: [needs.groups],
    async test(lab) {
      const [from, one, two] = [await lab.connect(), await lab.connect(), await lab.connect()];
      const name = lab.name();
      const options = { ...lossy, group: lab.word() };
      const members = [await one.collect(name, options), await two.collect(name, options)];
      const sent = numbers(60);
      for (const text of sent) await from.publish(name, text);
      const all = () => members.flatMap((member) => member.texts);
      await lab.until(
        'all messages',
        () => all().length >= sent.length,
        () => all().length,
      );
      equal(all().sort(), [...sent].sort(), 'the messages of both members');
    },
  },
  {
    id: 'group.once.apart',
    promise: 'At most once: two groups, and whoever is in none, get every message each.',
    needs: [needs.groups],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const all = [
        await link.collect(name, { ...lossy, group: lab.word() }),
        await link.collect(name, { ...lossy, group: lab.word() }),
        await link.collect(name),
      ];
      const sent = numbers(20);
      for (const text of sent) await link.publish(name, text);
      for (const got of all) {
        await lab.arrived('messages', got.texts, sent.length);
        equal([...got.texts].sort(), [...sent].sort(), 'the messages');
      }
    },
  },
  {
    id: 'group.needed',
    promise: 'At-least-once subscriptions name a durable group: it is required.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const link = await lab.connect();
      const without = { delivery: 'at-least-once', maxInFlight: 1 } as const;
      await rejects(
        link.subscribe(lab.name(), without, () => {}),
        'UNSUPPORTED',
        'a subscription without a group',
      );
    },
  },
];
