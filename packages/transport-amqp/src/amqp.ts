/** The transport: one connection, supervised, and what goes over it. */
import {
  type Capabilities,
  CommlibError,
  type ConnectOptions,
  DecodeError,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  type NameMapping,
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
import type { ConsumeMessage } from 'amqplib';
import { capabilitiesOf } from './capabilities.js';
import { Consumer, intakeOf } from './consumer.js';
import { Fanout, isRoutable } from './fanout.js';
import { declareGroup, declareOwn, declareSharing, forgetGroup, groupQueue, stricter } from './groups.js';
import { attemptOf, textOrNone } from './inbound.js';
import { AmqpInbox } from './inbox.js';
import { Link } from './link.js';
import { checkKey, namesFor } from './names.js';
import { type AmqpConfig, type AmqpOptions, resolveOptions } from './options.js';
import { Registry } from './registry.js';
import { Sender } from './sender.js';
import { serve } from './services.js';
import { topologyOf } from './topology.js';

/**
 * A connection to a RabbitMQ (3.10 or later) by AMQP 0-9-1.
 *
 * @param urls `amqp://` or `amqps://`, with host, optional port, optional `user:password@` and optional virtual host. Of
 *   several, one after the other is tried until one lets us in, after every loss again.
 * @throws `UnsupportedError` for a URL of another kind.
 * @example
 * ```ts
 * const node = new Node({ transport: amqp('amqp://bot:secret@localhost:5672/robots') });
 * ```
 */
export function amqp(urls: string | readonly string[], options: AmqpOptions = {}): Transport {
  return new AmqpTransport(resolveOptions(urls, options));
}

class AmqpTransport implements Transport {
  readonly protocol = 'amqp';
  readonly capabilities: Capabilities;
  readonly names: NameMapping;
  readonly #config: AmqpConfig;
  readonly #supervisor: Supervisor;
  readonly #registry = new Registry();
  readonly #fanout: Fanout;
  readonly #sender: Sender;
  /** The last link, ready or not. */
  #link: Link | undefined;
  /** The host to try first: the one that worked last. */
  #next = 0;
  #connectedBefore = false;
  /** The link is being ended by ourselves: its end is no loss. */
  #ending = false;

  constructor(config: AmqpConfig) {
    this.#config = config;
    this.capabilities = capabilitiesOf(config.names);
    this.names = namesFor(config.names);
    this.#supervisor = new Supervisor({
      target: config.target,
      open: (signal) => this.#open(signal),
      shutDown: (left) => this.#shutDown(left),
      onClosed: (error) => this.#closed(error),
      backoff: config.backoff,
    });
    this.#sender = new Sender({
      config,
      offline: () => ({ error: this.#supervisor.offline(), later: this.#supervisor.mayReturn }),
      onLost: (error) => this.#supervisor.dropped('published messages', error),
    });
    this.#fanout = new Fanout(config, this.#registry, (address, size) => this.#fits(address, size));
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    return this.#sender.publish(address, payload, options);
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    checkKey(filter);
    const { group, delivery, start } = options;
    if (start !== undefined && start !== 'new') {
      throw new UnsupportedError(
        'reading from the past',
        'AMQP queues keep nothing for subscriptions that did not exist',
      );
    }
    this.#supervisor.throwIfEnding();
    if (delivery === 'at-least-once') return this.#joinGroup(filter, options, onMessage);
    if (group === undefined && isRoutable(filter)) return this.#fanout.join(filter, onMessage);
    const config = this.#config;
    if (group !== undefined) checkKey(`${groupQueue(config, group, filter)}:shared`);
    return this.#consume(filter, onMessage, {
      prefetch: 0,
      declare: (link) =>
        group === undefined ? declareOwn(link, config, filter) : declareSharing(link, config, group, filter),
      extras: metadataOf,
    });
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    this.#supervisor.throwIfEnding();
    const inbox = new AmqpInbox(
      {
        config: this.#config,
        registry: this.#registry,
        fits: (address, size) => this.#fits(address, size),
        offline: () => this.#supervisor.offline(),
        tooLarge: (address, payload) => this.#sender.tooLarge(address, payload),
      },
      options.prefix,
      onReply,
    );
    await this.#registry.add(inbox);
    return inbox;
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    this.#supervisor.throwIfEnding();
    const host = {
      config: this.#config,
      registry: this.#registry,
      wanted: (message: ConsumeMessage) => this.#fits(message.fields.routingKey, message.content.length),
      onTrouble: (of: string) => (error: CommlibError) => this.#supervisor.dropped(of, error),
    };
    return serve(host, address, options, onRequest);
  }

  respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    return this.#sender.respond(request, target, payload);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#supervisor.close(options);
  }

  async #joinGroup(
    filter: string,
    { group, maxInFlight }: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    if (group === undefined)
      throw new UnsupportedError('at-least-once', 'the subscription must name its group');
    const config = this.#config;
    const queue = groupQueue(config, group, filter);
    return this.#consume(
      filter,
      onMessage,
      {
        prefetch: maxInFlight,
        declare: (link) => declareGroup(link, config, group, filter),
        extras: (message) => ({ ...metadataOf(message), attempt: attemptOf(message) }),
      },
      async () => {
        if (this.#link?.alive) await forgetGroup(this.#link, queue);
      },
    );
  }

  async #consume(
    filter: string,
    onMessage: (message: Inbound) => void,
    options: Pick<ConstructorParameters<typeof Consumer>[0], 'prefetch' | 'declare' | 'extras'>,
    forget: () => Promise<void> = async () => {},
  ): Promise<Intake> {
    const matches = stricter(filter);
    const consumer = new Consumer({
      ...options,
      what: `subscription to ${filter}`,
      wanted: ({ fields, content }) =>
        (matches === undefined || matches(fields.routingKey)) &&
        this.#fits(fields.routingKey, content.length),
      onMessage,
      onTrouble: (error) => this.#supervisor.dropped(filter, error),
    });
    await this.#registry.add(consumer);
    return intakeOf(consumer, async (forgotten) => {
      this.#registry.delete(consumer);
      if (forgotten) await forget();
    });
  }

  async #open(signal: AbortSignal): Promise<void> {
    this.#link?.abandon(this.#supervisor.offline());
    const link = await this.#connect(signal);
    const interrupt = () => link.abandon(this.#supervisor.offline());
    signal.addEventListener('abort', interrupt, { once: true });
    try {
      this.#link = link;
      await this.#ensureExchange(link);
      await this.#sender.prepare(link);
      await this.#registry.restore(link);
      signal.throwIfAborted();
    } catch (error) {
      const known = CommlibError.is(error) ? error : this.#supervisor.offline();
      link.abandon(known);
      throw error;
    } finally {
      signal.removeEventListener('abort', interrupt);
    }
    this.#connectedBefore = true;
    this.#sender.attach(link);
  }

  /** One host after the other, beginning with the one that worked last. For good is what all of them say. */
  async #connect(signal: AbortSignal): Promise<Link> {
    const { hosts } = this.#config;
    const errors: unknown[] = [];
    for (let i = 0; i < hosts.length; i++) {
      const at = (this.#next + i) % hosts.length;
      const host = hosts[at];
      if (host === undefined) break;
      try {
        const link = await Link.open(this.#config, host, {
          signal,
          before: this.#connectedBefore,
          onEnd: (ended, error) => this.#lost(ended, error),
        });
        this.#next = at;
        return link;
      } catch (error) {
        if (signal.aborted) throw error;
        errors.push(error);
      }
    }
    const temporary = errors.find(
      (error) => !(CommlibError.is(error) && 'permanent' in error && error.permanent),
    );
    throw temporary ?? errors[0];
  }

  async #ensureExchange(link: Link): Promise<void> {
    const { exchange } = this.#config;
    if (exchange.startsWith('amq.')) return;
    await topologyOf(link).run(`the exchange ${exchange}`, (channel) =>
      channel.assertExchange(exchange, 'topic', { durable: true }),
    );
  }

  #lost(link: Link, error: CommlibError): void {
    if (link !== this.#link) return;
    this.#registry.detach();
    this.#sender.detach(error);
    if (!this.#ending) this.#supervisor.lost(error);
  }

  #fits(address: string, size: number): boolean {
    const { maxMessageBytes } = this.#config;
    if (size <= maxMessageBytes) return true;
    const reason = `a message of ${size} bytes, above maxMessageBytes (${maxMessageBytes})`;
    this.#supervisor.dropped(address, new DecodeError('TOO_LARGE', reason));
    return false;
  }

  #closed(error: CommlibError): void {
    this.#registry.fail(error);
    this.#sender.fail(error);
    this.#link?.abandon(error);
  }

  async #shutDown(left: () => number): Promise<void> {
    const { state } = this.status;
    this.#sender.stop();
    if (state === 'ready' || state === 'reconnecting') await within(left(), this.#sender.flushed());
    this.#registry.fail(this.#supervisor.offline());
    this.#ending = true;
    if (state === 'ready') await this.#link?.close(left());
  }
}

function metadataOf({ properties }: ConsumeMessage) {
  return { replyTo: textOrNone(properties.replyTo), correlationId: textOrNone(properties.correlationId) };
}
