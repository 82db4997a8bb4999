import { anything, type Delivery, type Inbound, literal, type NameInput, toName, topic } from '@commlib/core';
import { equal, refuses } from '../check.js';
import { bytes, type Lab, textOf } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

/** Filters below a common first level, and which of the addresses below it they match. */
interface Table {
  readonly addresses: readonly string[];
  readonly filters: readonly (readonly [filter: string, ...matching: string[]])[];
}

const GRAMMAR: Table = {
  addresses: ['a', 'b', 'ab', 'a.b', 'a.c', 'a.b.c', 'a.b.c.d'],
  filters: [
    ['a', 'a'],
    ['a.b', 'a.b'],
    ['a.+', 'a.b', 'a.c'],
    ['+', 'a', 'b', 'ab'],
    ['+.b', 'a.b'],
    ['a.+.c', 'a.b.c'],
    ['a.b.+', 'a.b.c'],
    ['a.#', 'a', 'a.b', 'a.c', 'a.b.c', 'a.b.c.d'],
    ['+.+', 'a.b', 'a.c'],
    ['a.+.#', 'a.b', 'a.c', 'a.b.c', 'a.b.c.d'],
    ['#', 'a', 'b', 'ab', 'a.b', 'a.c', 'a.b.c', 'a.b.c.d'],
  ],
};

const EMPTY_LEVELS: Table = {
  addresses: ['a', 'a.', 'a..c', 'a.b.c'],
  filters: [
    ['a.', 'a.'],
    ['a..c', 'a..c'],
    ['a.+', 'a.'],
    ['a.+.c', 'a..c', 'a.b.c'],
    ['a..+', 'a..c'],
    ['a.#', 'a', 'a.', 'a..c', 'a.b.c'],
  ],
};

/** Publishes every address twice: what a filter takes by mistake is there after the second round. */
async function holds(table: Table, lab: Lab, delivery: Delivery): Promise<void> {
  const node = await lab.node();
  const base = lab.name();
  const round: Record<string, Map<string, string[]>> = { first: new Map(), second: new Map() };
  const groups = delivery === 'at-least-once';
  const subscribers = await Promise.all(
    table.filters.map(([filter]) =>
      node.subscribe(
        topic(`${base}.${filter}`, anything, { delivery }),
        (data, { address }) => {
          const [which = '', sent = ''] = String(data).split(' ');
          const seen = round[which];
          seen?.set(filter, [...(seen.get(filter) ?? []), sent]);
          equal(address, node.transport.names.address(toName(`${base}.${sent}`)), 'the address');
        },
        groups ? { group: lab.word() } : {},
      ),
    ),
  );
  for (const which of ['first', 'second']) {
    for (const address of table.addresses)
      await node
        .publisher(topic(`${base}.${address}`, anything, { delivery }))
        .publish(`${which} ${address}`);
    for (const [filter, ...matching] of table.filters) {
      const seen = () => round[which]?.get(filter) ?? [];
      await lab.until(
        `${filter} takes ${matching.length}`,
        () => new Set(seen()).size >= matching.length,
        seen,
      );
    }
  }
  for (const seen of Object.values(round)) {
    for (const [filter, ...matching] of table.filters) {
      const got = seen.get(filter) ?? [];
      equal((groups ? [...new Set(got)] : got).sort(), [...matching].sort(), `what ${filter} takes`);
    }
  }
  await Promise.all(subscribers.map((subscriber) => subscriber.close()));
}

async function meets(lab: Lab, name: NameInput): Promise<void> {
  const link = await lab.connect();
  const { names } = link.transport;
  const got: string[] = [];
  await link.transport.subscribe(
    names.filter(toName(name)),
    { delivery: 'at-most-once', maxInFlight: 10 },
    (message) => got.push(textOf(message)),
  );
  await link.transport.publish(names.address(toName(name)), bytes('x'));
  await lab.arrived('message', got, 1);
}

export const naming: readonly Property[] = [
  {
    id: 'names.levels',
    promise: '`names.levels` gives the levels of an address back, as they were in the name.',
    async test(lab) {
      const { names } = (await lab.connect()).transport;
      for (const text of ['a', 'a.b.c', 'a.b-c.d_e', 'A.b0'])
        equal(names.levels(names.address(toName(text))), text.split('.'), `the levels of ${text}`);
    },
  },
  {
    id: 'names.pure',
    promise: 'The translation of names needs no connection, and the same name always gives the same address.',
    async test(lab) {
      const idle = lab.link().transport.names;
      const { names } = (await lab.connect()).transport;
      const name = toName(lab.name('a', 'b'));
      equal(
        [idle.address(name), idle.filter(name)],
        [names.address(name), names.filter(name)],
        'the address',
      );
    },
  },
  {
    id: 'names.case',
    promise: 'Names are data: upper and lower case, digits, hyphens and underscores stay what they are.',
    async test(lab) {
      const link = await lab.connect();
      const base = lab.name();
      const texts = ['abc', 'ABC', 'a-b', '0'];
      const all = await Promise.all(texts.map((text) => link.collect(`${base}.${text}`)));
      for (const round of ['1', '2']) for (const text of texts) await link.publish(`${base}.${text}`, round);
      for (const got of all) {
        await lab.arrived('messages', got.texts, 2);
        equal(got.texts, ['1', '2'], 'the messages');
      }
    },
  },
  {
    id: 'names.literal',
    promise: 'A literal name, in which dots are data, meets itself.',
    test: (lab) => meets(lab, literal(`${lab.word()}/a.b/c`)),
  },
  {
    id: 'names.slashes',
    promise: 'A name spelled with slashes meets itself.',
    test: (lab) => meets(lab, `${lab.word()}/a/b`),
  },
  {
    id: 'names.invalid',
    promise:
      '`names.address` throws for what cannot be sent to: nothing, NUL, wildcards, text that is no Unicode.',
    async test(lab) {
      const { names } = (await lab.connect()).transport;
      for (const text of ['', 'a\0b', 'a.+', 'a.#', 'a+b', '#', 'x\ud800'])
        await refuses(
          () => names.address(toName(text)),
          'INVALID_NAME',
          `the address of ${JSON.stringify(text)}`,
        );
    },
  },
  {
    id: 'names.invalid-filter',
    promise: '`names.filter` throws unless a wildcard is a level of its own, and `#` the last.',
    async test(lab) {
      const { names } = (await lab.connect()).transport;
      for (const text of ['', 'a.#.b', 'a+.b', 'a.b#', 'a\0'])
        await refuses(
          () => names.filter(toName(text)),
          'INVALID_NAME',
          `the filter of ${JSON.stringify(text)}`,
        );
    },
  },
  {
    id: 'names.reply',
    promise: '`checkReply` takes the reply addresses of requests as they arrive: they can be answered to.',
    async test(lab) {
      const { transport } = await lab.connect();
      const address = transport.names.address(toName(lab.name()));
      const requests: Inbound[] = [];
      await transport.serve(address, { maxInFlight: 10 }, (request) => {
        requests.push(request);
        request.settle?.('ack');
      });
      const inbox = await transport.openInbox({}, () => {});
      const target = inbox.claim();
      await inbox.send(address, bytes('{}'), target);
      await lab.arrived('request', requests, 1);
      transport.names.checkReply?.(requests[0]?.replyTo ?? target.replyTo);
    },
  },
  {
    id: 'names.parameters',
    promise: 'Named parameters are read from the address: `devices/{id}/state`.',
    needs: [needs.wildcards],
    async test(lab) {
      const node = await lab.node();
      const contract = topic(`${lab.name()}.{id}.state.{part}`, anything);
      const seen: unknown[] = [];
      await node.subscribe(contract, (_, { params }) => seen.push(params));
      await node.publisher(contract).publish({}, { params: { id: '7', part: 'door' } });
      await lab.arrived('message', seen, 1);
      equal(seen, [{ id: '7', part: 'door' }], 'the parameters');
    },
  },
  {
    id: 'wildcards.grammar',
    promise:
      'One wildcard grammar: `+` is one level, `#` the rest including none; exactly the same matches everywhere.',
    needs: [needs.wildcards],
    test: (lab) => holds(GRAMMAR, lab, 'at-most-once'),
  },
  {
    id: 'wildcards.grammar-surely',
    promise: 'The same matches in at-least-once subscriptions.',
    needs: [needs.atLeastOnce, needs.durableWildcards],
    test: (lab) => holds(GRAMMAR, lab, 'at-least-once'),
  },
  {
    id: 'wildcards.empty-levels',
    promise: 'An empty level is a level: `+` takes it.',
    needs: [needs.wildcards],
    test: (lab) => holds(EMPTY_LEVELS, lab, 'at-most-once'),
  },
  {
    id: 'wildcards.empty-levels-surely',
    promise: 'The same in at-least-once subscriptions.',
    needs: [needs.atLeastOnce, needs.durableWildcards],
    test: (lab) => holds(EMPTY_LEVELS, lab, 'at-least-once'),
  },
  {
    id: 'wildcards.later',
    promise: 'Topics that are used for the first time later match too, from their first message on.',
    needs: [needs.wildcards],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const base = lab.name();
      const got = await to.collect(`${base}.+`);
      for (const text of ['1', '2', '3']) await from.publish(`${base}.new`, text);
      await lab.arrived('messages', got.texts, 3);
      equal(got.texts, ['1', '2', '3'], 'the messages');
    },
  },
];
