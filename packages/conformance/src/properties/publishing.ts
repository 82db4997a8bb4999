import { toName } from '@commlib/core';
import { ensure, equal, rejects } from '../check.js';
import { durable, type Lab, lossy, numbers, surely } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

/** The same bytes, whichever way they are delivered. */
async function travels(lab: Lab, payload: Uint8Array): Promise<void> {
  const [a, b] = [await lab.connect(), await lab.connect()];
  const ways =
    needs.atLeastOnce.missing(lab.capabilities) === undefined ? [lossy, durable(lab.word())] : [lossy];
  for (const options of ways) {
    const name = lab.name();
    const got = await b.collect(name, options);
    await a.publish(name, payload, { delivery: options.delivery });
    await lab.arrived('message', got.messages, 1);
    equal(got.messages[0]?.payload, payload, `the payload, ${options.delivery}`);
  }
}

export const publishing: readonly Property[] = [
  {
    id: 'publish.all-arrive',
    promise: 'Fan-out: every matching subscription gets the message.',
    async test(lab) {
      const [from, one, two] = [await lab.connect(), await lab.connect(), await lab.connect()];
      const name = lab.name();
      const all = [await one.collect(name), await one.collect(name), await two.collect(name)];
      const sent = numbers(200);
      for (const text of sent) await from.publish(name, text);
      for (const got of all) {
        await lab.arrived('messages', got.texts, sent.length);
        equal([...got.texts].sort(), [...sent].sort(), 'the messages of one subscription');
      }
    },
  },
  {
    id: 'publish.all-arrive-surely',
    promise:
      'At-least-once: publishing resolves when the broker has taken responsibility; every group gets the message.',
    needs: [needs.atLeastOnce],
    async test(lab) {
      const [from, to] = [await lab.connect(), await lab.connect()];
      const name = lab.name();
      const got = await to.collect(name, durable(lab.word()));
      const sent = numbers(200);
      await Promise.all(sent.map((text) => from.publish(name, text, surely)));
      await lab.until(
        'all messages',
        () => new Set(got.texts).size === sent.length,
        () => got.texts.length,
      );
      equal([...new Set(got.texts)].sort(), [...sent].sort(), 'the messages');
    },
  },
  {
    id: 'publish.many-to-many',
    promise: 'The methods of a transport may be called concurrently.',
    async test(lab) {
      const links = await Promise.all(Array.from({ length: 3 }, () => lab.connect()));
      const names = Array.from({ length: 4 }, () => lab.name());
      const all = await Promise.all(
        names.flatMap((name) => links.map(async (link) => ({ name, got: await link.collect(name) }))),
      );
      const texts = (name: string) => links.flatMap((_, i) => numbers(20, `${name} ${i} `));
      await Promise.all(
        names.flatMap((name) =>
          links.flatMap((link, i) => numbers(20, `${name} ${i} `).map((text) => link.publish(name, text))),
        ),
      );
      for (const { name, got } of all) {
        await lab.arrived('messages', got.texts, texts(name).length);
        equal([...got.texts].sort(), texts(name).sort(), `the messages on ${name}`);
      }
    },
  },
  {
    id: 'publish.topics-apart',
    promise: 'A message reaches the subscriptions that match its address, and no other.',
    async test(lab) {
      const link = await lab.connect();
      const base = lab.name();
      const names = ['a', 'b', 'a.b', 'ab'].map((rest) => `${base}.${rest}`);
      const all = await Promise.all(names.map(async (name) => ({ name, got: await link.collect(name) })));
      for (const round of ['1', '2']) for (const name of names) await link.publish(name, `${name} ${round}`);
      for (const { name, got } of all) {
        await lab.arrived(`messages on ${name}`, got.texts, 2);
        equal(got.texts, [`${name} 1`, `${name} 2`], `the messages on ${name}`);
      }
    },
  },
  {
    id: 'publish.address',
    promise: 'An inbound message tells the address it was sent to, and that it was not kept from before.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name('a', 'b');
      const got = await link.collect(name);
      await link.publish(name, 'x');
      await lab.arrived('message', got.messages, 1);
      const message = got.messages[0];
      ensure(message !== undefined, 'a message');
      equal(message.address, link.address(name), 'the address');
      equal(link.transport.names.levels(message.address), name.split('.'), 'its levels');
      equal(message.retained, false, 'retained');
    },
  },
  {
    id: 'publish.nobody',
    promise: 'Publishing what nobody subscribes to is no error, unless it is mandatory.',
    async test(lab) {
      const link = await lab.connect();
      await link.publish(lab.name(), 'x');
      if (needs.atLeastOnce.missing(lab.capabilities) === undefined)
        await link.publish(lab.name(), 'x', surely);
    },
  },
  {
    id: 'publish.to-oneself',
    promise: 'One connection may publish and subscribe: it hears itself.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      await link.publish(name, 'x');
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['x'], 'the messages');
    },
  },
  {
    id: 'publish.aborted',
    promise: 'A signal that has fired already: nothing is sent.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      const signal = AbortSignal.abort(new Error('enough'));
      await rejects(link.publish(name, 'no', { signal }), 'ABORTED', 'publishing');
      if (needs.atLeastOnce.missing(lab.capabilities) === undefined)
        await rejects(link.publish(name, 'no', { ...surely, signal }), 'ABORTED', 'publishing at least once');
      await link.publish(name, 'yes', { signal: new AbortController().signal });
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['yes'], 'the messages');
    },
  },
  {
    id: 'publish.wildcard',
    promise: 'A message is sent to an address: wildcards are refused, and the connection lives on.',
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const got = await link.collect(name);
      for (const wild of ['+', '#']) {
        const filter = link.transport.names.filter(toName(`${name}.${wild}`));
        const slash = `${link.address(name)}/${wild}`;
        // A broker's own wildcard may be an ordinary character of its addresses: then it is carried, and matches nothing.
        for (const text of new Set([filter, slash]))
          await link.transport.publish(text, new Uint8Array(1)).catch((error: unknown) => {
            ensure(error instanceof Error && 'code' in error, `refused with an error of ours, not ${error}`);
          });
      }
      await link.publish(name, 'x');
      await lab.arrived('message', got.texts, 1);
      equal(got.texts, ['x'], 'the messages');
    },
  },
  {
    id: 'payload.empty',
    promise: 'Payloads are bytes: none at all.',
    test: (lab) => travels(lab, new Uint8Array(0)),
  },
  {
    id: 'payload.one-byte',
    promise: 'Payloads are bytes: a single zero.',
    test: (lab) => travels(lab, new Uint8Array(1)),
  },
  {
    id: 'payload.binary',
    promise: 'Payloads are bytes: every value, no valid UTF-8.',
    test: (lab) =>
      travels(
        lab,
        Uint8Array.from({ length: 512 }, (_, i) => (i * 7) % 256),
      ),
  },
  {
    id: 'payload.mebibyte',
    promise: 'Payloads are bytes: 1 MiB arrives whole.',
    test: (lab) =>
      travels(
        lab,
        Uint8Array.from({ length: 1_048_576 }, (_, i) => (i * 31) % 251),
      ),
  },
  {
    id: 'payload.part',
    promise: 'Payloads are bytes: a part of a larger buffer is sent, and not the buffer.',
    test: (lab) => travels(lab, new Uint8Array([1, 2, 3, 4, 5, 6]).subarray(2, 4)),
  },
];
