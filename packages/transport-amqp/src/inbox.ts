/**
 * Reply inboxes. By default the broker's direct reply-to, which is no queue at all; under a prefix of the caller's, an
 * exclusive queue of that name; with `names: 'mqtt'` an exclusive queue that collects the topics below the prefix.
 */
import {
  type CommlibError,
  type Inbound,
  type Inbox,
  NoReceiverError,
  PassingMap,
  type ReplyTarget,
  randomHex,
  type SendOptions,
} from '@commlib/core';
import type { Channel, ConsumeMessage, Options } from 'amqplib';
import { refusal } from './errors.js';
import { textOrNone, toInbound } from './inbound.js';
import type { Link } from './link.js';
import { checkKey, DIRECT_REPLY } from './names.js';
import type { AmqpConfig } from './options.js';
import type { Registry, Standing } from './registry.js';
import { cancelled } from './topology.js';

/** How long it may take until a request that nobody answered yet is known to have been taken. */
const FENCE_MS = 20;

/** A request whose sending is not settled yet. */
interface Sent {
  readonly address: string;
  readonly resolve: () => void;
  readonly reject: (error: CommlibError) => void;
}

export interface InboxHost {
  readonly config: AmqpConfig;
  readonly registry: Registry;
  readonly fits: (address: string, size: number) => boolean;
  /** Why nothing can be sent now. */
  readonly offline: () => CommlibError;
  readonly tooLarge: (address: string, payload: Uint8Array) => CommlibError | undefined;
}

/**
 * A message nobody takes is returned by the broker (`mandatory`), before anything it says later on that channel. So a request
 * is known to have been taken when its answer comes, or when the broker has answered any question asked after it; the
 * question is asked only while requests are open, and once for all of them.
 */
export class AmqpInbox implements Inbox, Standing {
  readonly #host: InboxHost;
  readonly #onReply: (message: Inbound) => void;
  readonly #prefix: string | undefined;
  /** Where the answers go: an MQTT topic, the name of a queue, or the direct reply-to. */
  readonly #base: string;
  readonly #mqtt: boolean;
  readonly #sent = new PassingMap<string, Sent>();
  #link: Link | undefined;
  #channel: Channel | undefined;
  #fence: ReturnType<typeof setTimeout> | undefined;
  #calls = 0;
  #closed = false;

  constructor(host: InboxHost, prefix: string | undefined, onReply: (message: Inbound) => void) {
    this.#host = host;
    this.#onReply = onReply;
    this.#prefix = prefix === '' ? undefined : prefix;
    this.#mqtt = host.config.names === 'mqtt';
    this.#base = this.#mqtt
      ? mqttBase(this.#prefix)
      : this.#prefix === undefined
        ? DIRECT_REPLY
        : checkKey(`${this.#prefix.replace(/[./]+$/, '')}.rpc-${randomHex()}`);
  }

  async open(link: Link): Promise<void> {
    const lost = (error: CommlibError) => link.abandon(error);
    try {
      const channel = await link.channel((error) => lost(refusal(error, 'the reply inbox')));
      channel.on('return', (message) => this.#returned(message.properties, message.fields.routingKey));
      const queue = await this.#declare(channel);
      const onReply = (message: ConsumeMessage | null) => {
        if (message === null) lost(cancelled(queue));
        else this.#replied(message);
      };
      await channel.consume(queue, onReply, { noAck: true });
      this.#channel = channel;
      this.#link = link;
      const stop = link.onEnd((error) => {
        if (this.#channel === channel) this.#channel = undefined;
        this.#fail(error);
      });
      // With the connection, the channel ends first.
      channel.once('close', () => process.nextTick(stop));
    } catch (error) {
      link.throwIfEnded();
      throw refusal(error, 'the reply inbox');
    }
  }

  claim(): ReplyTarget & { readonly correlationId: string } {
    const correlationId = String(++this.#calls);
    return { replyTo: this.#mqtt ? `${this.#base}/${correlationId}` : this.#base, correlationId };
  }

  send(address: string, payload: Uint8Array, target: ReplyTarget, options?: SendOptions): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return Promise.reject(this.#host.offline());
    const refused = this.#host.tooLarge(address, payload);
    if (refused) return Promise.reject(refused);
    const id = target.correlationId ?? '';
    return new Promise((resolve, reject) => {
      try {
        const exchange = this.#mqtt ? this.#host.config.exchange : '';
        channel.publish(exchange, address, asBuffer(payload), this.#properties(target, id, options));
        this.#sent.set(id, { address, resolve, reject });
        this.#fence ??= setTimeout(() => this.#ask(channel), FENCE_MS);
      } catch (error) {
        // A channel that is closed: the connection ended, and nobody has told yet.
        const ended = error instanceof Error && error.name === 'IllegalOperationError';
        reject(ended ? this.#host.offline() : refusal(error, `a request to ${address}`));
      }
    });
  }

  release(target: ReplyTarget): void {
    if (target.correlationId !== undefined) this.#taken(target.correlationId);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#host.registry.delete(this);
    clearTimeout(this.#fence);
    for (const id of [...this.#sent.keys()]) this.#taken(id);
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel) await this.#link?.closeChannel(channel);
  }

  async #declare(channel: Channel): Promise<string> {
    if (this.#base === DIRECT_REPLY) return DIRECT_REPLY;
    const own = { exclusive: true, durable: false, autoDelete: true };
    if (!this.#mqtt) return (await channel.assertQueue(this.#base, own)).queue;
    const { queue } = await channel.assertQueue('', own);
    await channel.bindQueue(queue, this.#host.config.exchange, `${this.#base.replaceAll('/', '.')}.*`);
    return queue;
  }

  #properties(target: ReplyTarget, id: string, options: SendOptions | undefined): Options.Publish {
    const own: Options.Publish = this.#mqtt
      ? { mandatory: true, messageId: id }
      : { mandatory: true, correlationId: id, replyTo: target.replyTo };
    if (options?.expiresInMs !== undefined) own.expiration = String(Math.ceil(options.expiresInMs));
    return own;
  }

  #replied(message: ConsumeMessage): void {
    if (this.#closed) return;
    const { routingKey } = message.fields;
    const correlationId = this.#mqtt
      ? routingKey.slice(this.#base.length + 1)
      : textOrNone(message.properties.correlationId);
    if (correlationId !== undefined) this.#taken(correlationId);
    if (this.#host.fits(routingKey, message.content.length))
      this.#onReply(toInbound(message, { correlationId }));
  }

  #returned(properties: { readonly correlationId: unknown; readonly messageId: unknown }, key: string): void {
    const id = textOrNone(this.#mqtt ? properties.messageId : properties.correlationId) ?? '';
    this.#sent.take(id)?.reject(new NoReceiverError(key));
  }

  #taken(id: string): void {
    this.#sent.take(id)?.resolve();
  }

  /** Any question will do: the prefetch means nothing to a consumer without acknowledgements. */
  #ask(channel: Channel): void {
    this.#fence = undefined;
    const before = [...this.#sent.keys()];
    if (before.length === 0) return;
    channel.prefetch(0).then(
      () => {
        for (const id of before) this.#taken(id);
        if (this.#sent.size > 0 && this.#channel === channel)
          this.#fence ??= setTimeout(() => this.#ask(channel), FENCE_MS);
      },
      () => {}, // The link ended: every request fails with it.
    );
  }

  #fail(error: CommlibError): void {
    clearTimeout(this.#fence);
    this.#fence = undefined;
    for (const { reject } of this.#sent.values()) reject(error);
    this.#sent.clear();
  }
}

/** As our MQTT transport names them: `<prefix>/rpc-<32 hex digits>`. */
function mqttBase(prefix: string | undefined): string {
  const own = `rpc-${randomHex()}`;
  if (prefix === undefined) return own;
  return `${prefix.replaceAll('.', '/').replace(/\/+$/, '')}/${own}`;
}

/** The same bytes as the class amqplib wants. */
export function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
