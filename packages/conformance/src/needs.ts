/** The capabilities that properties depend on, and how each is asked for where it is missing. */
import {
  anything,
  type Capability,
  type Delivery,
  has,
  type PerDelivery,
  rpc,
  type SendOptions,
  type ServeMode,
  type SubscribeOptions,
  topic,
} from '@commlib/core';
import { refuses, rejects } from './check.js';
import { bytes, durable, type Lab, lossy } from './lab.js';
import type { Need } from './property.js';

function reason(capability: Capability<true | string>): string | undefined {
  return has(capability) ? undefined : capability.missing;
}

function reasonFor(capability: PerDelivery, delivery: Delivery): string | undefined {
  if (!has(capability)) return capability.missing;
  return capability.includes(delivery) ? undefined : `only with ${capability.join(' or ')} delivery`;
}

/** A message option: the transport rejects it, and core before it. */
async function askToSend(lab: Lab, options: SendOptions): Promise<void> {
  const link = await lab.connect();
  const name = lab.name();
  await rejects(
    link.transport.publish(link.address(name), bytes('{}'), options),
    'UNSUPPORTED',
    'Transport.publish with the option',
  );
  const node = await lab.node();
  const { delivery, ...message } = options;
  await refuses(
    () => node.publisher(topic(name, anything, { delivery })).publish({}, message),
    'UNSUPPORTED',
    'Publisher.publish with the option',
  );
}

async function askToSubscribe(lab: Lab, name: string, options: SubscribeOptions): Promise<void> {
  const node = await lab.node();
  const { delivery, group, start } = options;
  await refuses(
    () => node.subscribe(topic(name, anything, { delivery }), () => {}, { group, start }),
    'UNSUPPORTED',
    'Node.subscribe with the option',
  );
}

export const retained: Need = {
  missing: (can) => reason(can.retained),
  ask: (lab) => askToSend(lab, { retain: true }),
};

export const headers = (delivery: Delivery): Need => ({
  missing: (can) => reasonFor(can.headers, delivery),
  ask: (lab) => askToSend(lab, { delivery, headers: { a: 'b' } }),
});

export const keys = (delivery: Delivery): Need => ({
  missing: (can) => reasonFor(can.keys, delivery),
  ask: (lab) => askToSend(lab, { delivery, key: 'k' }),
});

export const expiry = (delivery: Delivery): Need => ({
  missing: (can) => reasonFor(can.expiry, delivery),
  ask: (lab) => askToSend(lab, { delivery, expiresInMs: 60_000 }),
});

export const mandatory: Need = {
  missing: (can) => reason(can.mandatory),
  ask: (lab) => askToSend(lab, { mandatory: true }),
};

/** The broker does not tell: a call that nobody serves ends by its deadline. */
export const noMandatory: Need = {
  missing: (can) => (has(can.mandatory) ? 'the broker tells at once, see rpc.no-receiver' : undefined),
};

export const atLeastOnce: Need = {
  missing: (can) => reason(can.atLeastOnce),
  ask: (lab) => askToSend(lab, { delivery: 'at-least-once' }),
};

export const redelivery: Need = { missing: (can) => reason(can.redelivery) };

export const attempts: Need = { missing: (can) => reason(can.attempts) };

/** The broker counts, so that the count survives the process. */
export const nativeAttempts: Need = {
  missing: ({ attempts: counted }) =>
    counted === 'emulated'
      ? 'deliveries are counted in the process, which begins at 1 when it is started again'
      : reason(counted),
};

export const wildcards: Need = {
  missing: (can) => reason(can.wildcards),
  ask: (lab) => askToSubscribe(lab, `${lab.name()}.+`, lossy),
};

export const durableWildcards: Need = {
  missing: (can) => reason(can.durableWildcards),
  ask: (lab) => askToSubscribe(lab, `${lab.name()}.+`, durable(lab.word())),
};

export const groups: Need = {
  missing: (can) => reason(can.groups),
  ask: async (lab) => {
    const options: SubscribeOptions = { ...lossy, group: lab.word() };
    const name = lab.name();
    await askToSubscribe(lab, name, options);
    const link = await lab.connect();
    await rejects(
      link.subscribe(name, options, () => {}),
      'UNSUPPORTED',
      'Transport.subscribe with a group',
    );
  },
};

/** Members in several connections: asked for in each alone, nobody could refuse it. */
export const durableGroups: Need = { missing: (can) => reason(can.durableGroups) };

export const replay = (delivery: Delivery): Need => ({
  missing: (can) => reasonFor(can.replay, delivery),
  ask: async (lab) => {
    const group = delivery === 'at-least-once' ? lab.word() : undefined;
    const options: SubscribeOptions = { delivery, group, maxInFlight: 10, start: 'earliest' };
    const name = lab.name();
    await askToSubscribe(lab, name, options);
    const link = await lab.connect();
    await rejects(
      link.subscribe(name, options, () => {}),
      'UNSUPPORTED',
      'Transport.subscribe with start',
    );
  },
});

export const serveMode = (mode: ServeMode): Need => ({
  missing: ({ serveModes }) =>
    serveModes.includes(mode) ? undefined : `a service is ${serveModes.join(' or ')} here`,
  ask: async (lab) => {
    const node = await lab.node();
    const procedure = rpc(lab.name(), { request: anything, response: anything });
    await refuses(
      () => node.serve(procedure, () => ({}), { mode }),
      'UNSUPPORTED',
      'Node.serve with the mode',
    );
  },
});
