/** Messages on their way: PUBLISH, which Redis forgets at once, and XADD, which is kept until it is confirmed. */
import {
  AbortedError,
  abortable,
  type CommlibError,
  Outbox,
  type SendOptions,
  UnsupportedError,
} from '@commlib/core';
import { REDIS_CAPABILITIES } from './capabilities.js';
import { commandError } from './errors.js';
import type { Link } from './link.js';
import type { RedisConfig } from './options.js';
import { asBuffer } from './pusher.js';
import { type Appended, streamOutlet } from './stream-outlet.js';

const DONE = Promise.resolve();

/** What the sending needs to know of the transport. */
export interface PublishingHost {
  readonly offline: () => CommlibError;
  readonly mayReturn: () => boolean;
  readonly onDropped: (address: string, error: CommlibError) => void;
}

export class Publishing {
  readonly #config: RedisConfig;
  readonly #host: PublishingHost;
  readonly #outbox: Outbox<Appended>;
  #link: Link | undefined;
  #stopped = false;

  constructor(config: RedisConfig, host: PublishingHost) {
    this.#config = config;
    this.#host = host;
    this.#outbox = new Outbox({
      limit: config.maxBuffered,
      describe: ({ address }) => `message to ${address}`,
    });
  }

  attach(link: Link): void {
    if (!this.#stopped) this.#link = link;
    this.#outbox.attach(streamOutlet(link, this.#config));
  }

  detach(error: CommlibError): void {
    this.#link = undefined;
    this.#outbox.detach(error);
  }

  /** Takes no more; what was taken still goes out. */
  stop(): void {
    this.#stopped = true;
    this.#link = undefined;
  }

  fail(error: CommlibError): void {
    this.#link = undefined;
    this.#outbox.fail(error);
  }

  /** Resolves when nothing is unconfirmed. */
  flushed(): Promise<void> {
    return this.#outbox.idle();
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    try {
      if (options === undefined) return this.#tell(address, payload);
      checkOptions(options);
      const { signal } = options;
      if (signal?.aborted) throw new AbortedError(`publishing to ${address}`, signal.reason);
      const sent =
        options.delivery === 'at-least-once'
          ? this.#append(address, payload, options)
          : this.#tell(address, payload);
      return signal ? abortable(sent, signal, `publishing to ${address}`) : sent;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #tell(address: string, payload: Uint8Array): Promise<void> {
    const connection = this.#link?.commands();
    if (connection === undefined) throw this.#host.offline();
    connection.send('publish', [address, asBuffer(payload)], ignore, (error) => {
      if (connection.alive) this.#host.onDropped(address, commandError(error, `publishing to ${address}`));
    });
    return connection.congested ? connection.drained() : DONE;
  }

  #append(address: string, payload: Uint8Array, { headers, native }: SendOptions): Promise<void> {
    if (this.#stopped || (this.#link === undefined && !this.#host.mayReturn())) throw this.#host.offline();
    return this.#outbox.add({ address, payload, headers, maxLength: native?.redis?.maxLength }, true);
  }
}

function ignore(): void {}

function checkOptions({ retain, key, expiresInMs, mandatory, headers, delivery }: SendOptions): void {
  const refuse = (what: string, capability: unknown) => {
    const reason =
      typeof capability === 'object' && capability !== null && 'missing' in capability
        ? String(capability.missing)
        : 'PUBLISH carries the payload only; at-least-once messages have headers';
    throw new UnsupportedError(what, reason);
  };
  if (retain) refuse('the option retain', REDIS_CAPABILITIES.retained);
  if (key !== undefined) refuse('the option key', REDIS_CAPABILITIES.keys);
  if (expiresInMs !== undefined) refuse('the option expiresInMs', REDIS_CAPABILITIES.expiry);
  if (mandatory) refuse('the option mandatory', REDIS_CAPABILITIES.mandatory);
  if (headers !== undefined && delivery !== 'at-least-once') refuse('headers', REDIS_CAPABILITIES.headers);
}
