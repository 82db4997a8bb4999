/** Asking for what a transport cannot do is a typed error at creation, never silence. */
import type { Capability, PerDelivery } from '../capabilities.js';
import type { TopicContract } from '../contract.js';
import { StateError, UnsupportedError } from '../errors.js';
import { isPattern } from '../names/name.js';
import type { Delivery, SendOptions, ServeOptions, SubscribeOptions, Transport } from '../transport.js';
import type { BurialOptions } from './delivery.js';

function need(
  transport: Transport,
  capability: Capability<true | string> | PerDelivery,
  what: string,
  delivery?: Delivery,
): void {
  const unsupported = (reason: string) => new UnsupportedError(`${what} over ${transport.protocol}`, reason);
  if (typeof capability !== 'object') return;
  if ('missing' in capability) throw unsupported(capability.missing);
  if (delivery !== undefined && !capability.includes(delivery)) {
    throw unsupported(`only with ${capability.join(' or ')} delivery`);
  }
}

/** Throws {@link UnsupportedError} for an option of a message the transport cannot honour. */
export function requireSendOptions(transport: Transport, options: SendOptions): void {
  const can = transport.capabilities;
  const { delivery = 'at-most-once' } = options;
  if (options.retain) need(transport, can.retained, 'retained messages');
  if (options.headers !== undefined) need(transport, can.headers, 'message headers', delivery);
  if (options.key !== undefined) need(transport, can.keys, 'message keys', delivery);
  if (options.expiresInMs !== undefined) need(transport, can.expiry, 'message expiry', delivery);
  if (options.mandatory) need(transport, can.mandatory, 'mandatory messages');
  if (options.delivery === 'at-least-once') need(transport, can.atLeastOnce, 'at-least-once delivery');
}

/** Throws for a subscription the transport cannot make. */
export function requireSubscription(
  transport: Transport,
  contract: TopicContract,
  options: Pick<SubscribeOptions, 'group' | 'start'> & BurialOptions,
): void {
  const can = transport.capabilities;
  if (options.group !== undefined)
    need(
      transport,
      contract.delivery === 'at-most-once' ? can.groups : can.atLeastOnce,
      'subscription groups',
    );
  if (options.start !== undefined && options.start !== 'new')
    need(transport, can.replay, 'reading what was sent before', contract.delivery);
  if (contract.name.kind === 'commlib' || isPattern(contract.name))
    need(
      transport,
      contract.delivery === 'at-most-once' ? can.wildcards : can.durableWildcards,
      `${contract.delivery} wildcards`,
    );
  if (contract.delivery === 'at-most-once' && (options.retry ?? options.deadLetter) !== undefined) {
    throw new StateError(
      `${contract.name.text} is delivered at most once: there is nothing to retry, and no dead letter`,
    );
  }
  if (contract.delivery === 'at-least-once') {
    need(transport, can.atLeastOnce, 'at-least-once delivery');
    if (options.group === undefined) {
      throw new StateError(
        `an at-least-once subscription to ${contract.name.text} must name its durable group`,
      );
    }
  }
}

/** Throws for a service the transport cannot make. */
export function requireService(transport: Transport, options: Pick<ServeOptions, 'mode'>): void {
  const { mode } = options;
  if (mode !== undefined && !transport.capabilities.serveModes.includes(mode)) {
    throw new UnsupportedError(
      `services in mode ${mode} over ${transport.protocol}`,
      `it knows ${transport.capabilities.serveModes.join(', ')}`,
    );
  }
}

/** Throws for a client the transport cannot carry. */
export function requireBody(
  transport: Transport,
  options: { readonly body?: 'envelope' | 'raw' | undefined },
): void {
  if (options.body !== 'raw') return;
  const missing = { missing: 'reply address and correlation are in the envelope' };
  need(transport, transport.capabilities.rawBodies ?? missing, 'requests without an envelope');
}
