/** The transport: one link, supervised, and what goes over it. */
import {
  type Capabilities,
  CommlibError,
  type ConnectOptions,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  type ReplyTarget,
  type SendOptions,
  type ServeOptions,
  type SubscribeOptions,
  Supervisor,
  type Transport,
  type TransportStatus,
  UnsupportedError,
  within,
} from '@commlib/core';
import { NO_DURABLE_WILDCARDS, REDIS_CAPABILITIES } from './capabilities.js';
import { Channels } from './channels.js';
import { commandError } from './errors.js';
import { type InboxHost, inboxBase, ownInbox, RedisInbox } from './inbox.js';
import { Link } from './link.js';
import { ListReaders, type ListSource } from './list-readers.js';
import { readFilter, redisNames } from './names.js';
import { type RedisConfig, type RedisOptions, resolveOptions } from './options.js';
import { Publishing } from './publishing.js';
import { Pusher } from './pusher.js';
import { Services } from './services.js';
import { Streams } from './streams.js';

/** Part of the time of `close` that is left to what comes after the flushing. */
const GOODBYE = 0.2;

/**
 * A connection to a Redis server, to a master behind Sentinel, or to a Redis Cluster.
 *
 * @param url `redis://` or `rediss://` (TLS), with host, optional port, optional `user:password@` and optional database number:
 *   `redis://bot:secret@localhost:6379/2`; or `unix:///run/redis.sock`.
 * @throws `UnsupportedError` for a URL of another kind, or one that contradicts the options.
 * @example
 * ```ts
 * const node = await new Node({ transport: redis('redis://localhost:6379') }).start();
 * ```
 */
export function redis(url: string, options: RedisOptions = {}): Transport {
  return new RedisTransport(resolveOptions(url, options));
}

class RedisTransport implements Transport {
  readonly protocol = 'redis';
  readonly names = redisNames;
  readonly capabilities: Capabilities = REDIS_CAPABILITIES;
  readonly #config: RedisConfig;
  readonly #supervisor: Supervisor;
  readonly #channels: Channels;
  readonly #pusher: Pusher;
  readonly #publishing: Publishing;
  readonly #services: Services;
  readonly #streams: Streams;
  readonly #inboxes = new Set<RedisInbox>();
  #link: Link | undefined;

  constructor(config: RedisConfig) {
    this.#config = config;
    this.#supervisor = new Supervisor({
      target: config.target,
      open: (signal) => this.#open(signal),
      shutDown: (left) => this.#shutDown(left),
      onClosed: (error) => this.#closed(error),
      backoff: config.backoff,
    });
    this.#channels = new Channels(config.maxPatterns);
    this.#pusher = new Pusher(() => this.#supervisor.offline());
    this.#publishing = new Publishing(config, {
      offline: () => this.#supervisor.offline(),
      mayReturn: () => this.#supervisor.mayReturn,
      onDropped: (address, error) => this.#supervisor.dropped(address, error),
    });
    this.#services = new Services({
      readers: (source) => new ListReaders(source, this.#pusher),
      giveBack: (list, elements) => this.#giveBack(list, elements),
      onRefused: (address, error) =>
        this.#supervisor.dropped(address, commandError(error, `reading ${address}`)),
    });
    this.#streams = new Streams(config, (address, error) =>
      this.#supervisor.dropped(address, commandError(error, `reading ${address}`)),
    );
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    return this.#publishing.publish(address, payload, options);
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    this.#supervisor.throwIfEnding();
    const { delivery, group, start } = options;
    if (delivery === 'at-least-once') return this.#subscribeDurably(filter, options, onMessage);
    if (group !== undefined) throw new UnsupportedError('groups', 'PUBLISH reaches every subscriber');
    if (start !== undefined && start !== 'new')
      throw new UnsupportedError(
        'reading from the past',
        'Redis keeps nothing of what was published on a channel',
      );
    let open = true;
    const leave = await this.#channels.join(filter, (message) => {
      if (open) onMessage(message);
    });
    return {
      close: () => {
        open = false;
        return leave();
      },
    };
  }

  async #subscribeDurably(
    filter: string,
    { group, maxInFlight, start }: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    if (group === undefined)
      throw new UnsupportedError('at-least-once', 'the subscription must name its group');
    const read = readFilter(filter);
    if (!('channel' in read)) throw new UnsupportedError('at-least-once wildcards', NO_DURABLE_WILDCARDS);
    return this.#streams.join({ address: read.channel, group, maxInFlight, start }, onMessage);
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    this.#supervisor.throwIfEnding();
    const base = inboxBase(options.prefix, this.#config.cluster !== undefined);
    redisNames.checkReply?.(base);
    const host: InboxHost = {
      pusher: this.#pusher,
      readers: (source: ListSource) => new ListReaders(source, this.#pusher),
      onRefused: (address, error) =>
        this.#supervisor.dropped(address, commandError(error, `reading ${address}`)),
      onClose: async (inbox) => {
        this.#inboxes.delete(inbox);
        await inbox.readers.stop();
        inbox.readers.detach();
      },
      forget: (lists) => this.#forgetLists(lists),
    };
    const inbox = new RedisInbox(host, base, onReply);
    this.#inboxes.add(inbox);
    const link = this.#link;
    try {
      if (link && this.#supervisor.ready) await inbox.readers.attach(link);
    } catch (error) {
      // With the link gone, the next one opens it.
      if (link?.alive === true) {
        this.#inboxes.delete(inbox);
        throw error;
      }
    }
    return inbox;
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    this.#supervisor.throwIfEnding();
    if (options.mode !== undefined && options.mode !== 'compete')
      throw new UnsupportedError(`services in mode ${options.mode}`, 'an element of a list is popped once');
    redisNames.checkReply?.(address);
    if (this.#link && this.#supervisor.ready) {
      // A key of another type, or one this user may not read, is told now.
      try {
        await this.#link.commands(address).call('llen', address);
      } catch (error) {
        if (this.#link?.alive === true) throw commandError(error, `service at ${address}`);
      }
    }
    return this.#services.add(address, options.maxInFlight, onRequest);
  }

  respond(_request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    const { replyExpiryMs } = this.#config;
    const own = ownInbox(target.replyTo);
    if (own === undefined) return this.#pusher.push(target.replyTo, payload, replyExpiryMs);
    return this.#pusher.push(own.list, Buffer.concat([Buffer.from(own.head), payload]), replyExpiryMs);
  }

  brokerNow(): number {
    return this.#link?.now() ?? Date.now();
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#supervisor.close(options);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const link = await Link.open(this.#config, signal, (ended, error) => this.#lost(ended, error));
    const abort = () => {
      const { reason } = signal;
      link.abandon(CommlibError.is(reason) ? reason : this.#supervisor.offline());
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      this.#pusher.attach(link);
      await Promise.all([
        this.#channels.restore(link),
        this.#streams.restore(link),
        this.#services.readers.attach(link),
        ...[...this.#inboxes].map((inbox) => inbox.readers.attach(link)),
      ]);
      link.accept();
    } catch (error) {
      const known = CommlibError.is(error) ? error : commandError(error, this.#config.target);
      link.abandon(known);
      this.#detach(known);
      throw known;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    this.#link = link;
    this.#publishing.attach(link);
  }

  #lost(link: Link, error: CommlibError): void {
    if (link !== this.#link) return;
    this.#detach(error);
    this.#supervisor.lost(error);
  }

  #detach(error: CommlibError): void {
    this.#link = undefined;
    this.#channels.detach();
    this.#streams.detach();
    this.#pusher.detach(error);
    this.#publishing.detach(error);
    this.#services.readers.detach();
    for (const inbox of this.#inboxes) {
      inbox.readers.detach();
      inbox.lost();
    }
  }

  #closed(error: CommlibError): void {
    const link = this.#link;
    this.#channels.fail(error);
    this.#streams.fail(error);
    for (const inbox of this.#inboxes) inbox.end();
    this.#publishing.fail(error);
    this.#detach(error);
    link?.abandon(error);
  }

  /** Requests that were popped and find nobody here any more. */
  #giveBack(list: string, elements: readonly Buffer[]): void {
    const refused = (error: unknown) =>
      this.#supervisor.dropped(list, commandError(error, `giving requests of ${list} back`));
    const connection = this.#link?.commands(list);
    if (connection) connection.send('lpush', [list, ...elements.toReversed()], () => {}, refused);
    else refused(this.#supervisor.offline());
  }

  #forgetLists(lists: readonly string[]): void {
    const link = this.#link;
    if (link?.alive !== true) return;
    for (const list of lists)
      link.commands(list).send(
        'del',
        [list],
        () => {},
        () => {},
      );
  }

  async #shutDown(left: () => number): Promise<void> {
    const { state } = this.status;
    this.#publishing.stop();
    const link = this.#link;
    if (state === 'ready' || state === 'reconnecting') {
      await within(left() * (1 - GOODBYE), this.#publishing.flushed());
    }
    if (state === 'ready' && link) {
      // A read that is cut while it waits may take an element with it.
      const reads = [
        this.#services.stop(),
        this.#streams.stop(),
        ...[...this.#inboxes].map((inbox) => inbox.close()),
      ];
      await within(left() * (1 - GOODBYE), Promise.allSettled(reads));
      await within(left(), link.close(left()));
    }
  }
}
