/** Everything that goes out, requests apart: published messages and answers. */
import {
  AbortedError,
  abortable,
  BufferFullError,
  type CommlibError,
  type Inbound,
  Outbox,
  type ReplyTarget,
  type SendOptions,
  UnsupportedError,
} from '@commlib/core';
import type { Channel, Options } from 'amqplib';
import { Confirming } from './confirming.js';
import { refusal } from './errors.js';
import { asBuffer } from './inbox.js';
import type { Link } from './link.js';
import { checkKey, DIRECT_REPLY, replyKey } from './names.js';
import type { AmqpConfig } from './options.js';

/** A message on its way out. */
export interface Outgoing {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
}

export interface SenderHost {
  readonly config: AmqpConfig;
  /** Why nothing can be sent now; `later`: whether it may be kept for a reconnect. */
  readonly offline: () => { readonly error: CommlibError; readonly later: boolean };
  /** The broker closed the channel over a message: those around it may be lost. */
  readonly onLost: (error: CommlibError) => void;
}

const SENT = Promise.resolve();
const PLAIN: Options.Publish = {};
const PERSISTENT: Options.Publish = { persistent: true };

export class Sender {
  readonly #host: SenderHost;
  readonly #outbox: Outbox<Outgoing>;
  /** The link while it is ready. */
  #link: Link | undefined;
  /** For what needs no confirmation. */
  #channel: Channel | undefined;
  #confirming: Confirming | undefined;
  #congested: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #waiting = 0;
  #stopped = false;

  constructor(host: SenderHost) {
    this.#host = host;
    this.#outbox = new Outbox({
      limit: host.config.maxBuffered,
      describe: ({ routingKey }) => `message to ${routingKey}`,
    });
  }

  /** The channels, before the link counts as ready. */
  async prepare(link: Link): Promise<void> {
    await Promise.all([this.#openPlain(link), this.#openConfirming(link)]);
  }

  attach(link: Link): void {
    if (!this.#stopped) this.#link = link;
    if (this.#confirming) this.#outbox.attach(this.#confirming);
  }

  detach(error: CommlibError): void {
    this.#link = undefined;
    this.#channel = undefined;
    this.#confirming = undefined;
    this.#drained();
    this.#outbox.detach(error);
  }

  /** Takes no more; what was taken still goes out. */
  stop(): void {
    this.#stopped = true;
    this.#link = undefined;
  }

  fail(error: CommlibError): void {
    this.#link = undefined;
    this.#channel = undefined;
    this.#drained();
    this.#outbox.fail(error);
  }

  /** Resolves when nothing is unconfirmed. */
  flushed(): Promise<void> {
    return this.#outbox.idle();
  }

  tooLarge(address: string, payload: Uint8Array): CommlibError | undefined {
    const { maxMessageBytes } = this.#host.config;
    if (payload.length <= maxMessageBytes) return undefined;
    const what = `a message of ${payload.length} bytes to ${address}`;
    return new UnsupportedError(what, `more than maxMessageBytes (${maxMessageBytes})`);
  }

  publish(address: string, payload: Uint8Array, options: SendOptions | undefined): Promise<void> {
    try {
      checkKey(address);
      const refused = this.tooLarge(address, payload);
      if (refused) throw refused;
      const { exchange } = this.#host.config;
      if (options === undefined) return this.#send(exchange, address, payload, PLAIN);
      const { signal, delivery, mandatory } = options;
      if (signal?.aborted) throw new AbortedError(`publishing to ${address}`, signal.reason);
      const properties = propertiesOf(options);
      const keep = delivery === 'at-least-once';
      if (!keep && !mandatory) return this.#send(exchange, address, payload, properties, signal);
      if (this.#link === undefined) {
        const { error, later } = this.#host.offline();
        if (!keep || !later) throw error;
      }
      const message = { exchange, routingKey: address, content: asBuffer(payload), properties };
      return abortable(this.#outbox.add(message, keep), signal, `publishing to ${address}`);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** An answer: to the queue of the caller, or to its topic. */
  respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    try {
      const { exchange, names } = this.#host.config;
      const refused = this.tooLarge(target.replyTo, payload);
      if (refused) throw refused;
      const direct = target.replyTo.startsWith(`${DIRECT_REPLY}.`) && request.replyTo === target.replyTo;
      if (names === 'mqtt' && !direct) return this.#send(exchange, replyKey(target.replyTo), payload, PLAIN);
      checkKey(target.replyTo);
      const { correlationId } = target;
      return this.#send('', target.replyTo, payload, correlationId === undefined ? PLAIN : { correlationId });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #send(
    exchange: string,
    routingKey: string,
    payload: Uint8Array,
    properties: Options.Publish,
    signal?: AbortSignal,
  ): Promise<void> {
    const channel = this.#channel;
    if (this.#link === undefined || channel === undefined) throw this.#host.offline().error;
    if (this.#congested && this.#waiting >= this.#host.config.maxBuffered)
      throw new BufferFullError('the buffer of the congested connection', this.#host.config.maxBuffered);
    try {
      if (channel.publish(exchange, routingKey, asBuffer(payload), properties) && !this.#congested)
        return SENT;
    } catch (error) {
      // A channel that is closed: the connection ended, and nobody has told yet.
      if (error instanceof Error && error.name === 'IllegalOperationError') throw this.#host.offline().error;
      throw refusal(error, `a message to ${routingKey}`);
    }
    return abortable(this.#untilDrained(channel), signal, `publishing to ${routingKey}`);
  }

  #untilDrained(channel: Channel): Promise<void> {
    this.#waiting++;
    if (this.#congested === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#congested = { promise, resolve };
      channel.once('drain', () => this.#drained());
    }
    return this.#congested.promise;
  }

  #drained(): void {
    this.#waiting = 0;
    this.#congested?.resolve();
    this.#congested = undefined;
  }

  async #openPlain(link: Link): Promise<void> {
    const channel = await link.channel((error) => {
      if (this.#channel !== channel) return;
      this.#channel = undefined;
      this.#drained();
      this.#host.onLost(refusal(error, 'a published message'));
      this.#openPlain(link).catch((failure) => link.abandon(refusal(failure, 'publishing')));
    });
    this.#channel = channel;
  }

  async #openConfirming(link: Link, cautious = 0): Promise<void> {
    const confirming = await Confirming.open(
      link,
      this.#host.config.confirmWindow,
      cautious,
      (error, suspects) => {
        if (this.#confirming !== confirming) return;
        this.#confirming = undefined;
        this.#outbox.detach(error);
        this.#openConfirming(link, suspects).then(
          () => {
            if (this.#confirming && link.alive) this.#outbox.attach(this.#confirming);
          },
          (failure) => link.abandon(refusal(failure, 'publishing')),
        );
      },
    );
    this.#confirming = confirming;
  }
}

/** @throws `UnsupportedError` for what AMQP cannot do. */
function propertiesOf(options: SendOptions): Options.Publish {
  const { headers, expiresInMs, key, retain, mandatory, native } = options;
  if (key !== undefined) throw new UnsupportedError('the option key', 'AMQP has no ordering keys');
  if (retain) throw new UnsupportedError('the option retain', 'AMQP keeps no last message of a topic');
  const persistent = native?.amqp?.persistent ?? options.delivery === 'at-least-once';
  const priority = native?.amqp?.priority;
  if (headers === undefined && expiresInMs === undefined && !mandatory && priority === undefined)
    return persistent ? PERSISTENT : PLAIN;
  if (headers && (Object.hasOwn(headers, 'CC') || Object.hasOwn(headers, 'BCC')))
    throw new UnsupportedError('a header CC or BCC', 'RabbitMQ takes it for further addresses');
  return {
    ...(persistent ? PERSISTENT : PLAIN),
    ...(headers === undefined ? {} : { headers }),
    // A 32-bit number of milliseconds.
    ...(expiresInMs === undefined
      ? {}
      : { expiration: String(Math.min(4_294_967_295, Math.max(0, Math.ceil(expiresInMs)))) }),
    ...(mandatory ? { mandatory: true } : {}),
    ...(priority === undefined ? {} : { priority }),
  };
}
