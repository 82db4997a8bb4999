/**
 * One consumer with a channel of its own and acknowledgements: a member of a group, or a service. When the broker closes the
 * channel, or deletes the queue, everything is set up anew; meanwhile the rest of the connection goes on.
 */
import { type CommlibError, type Inbound, type Intake, type Settlement, timerMs } from '@commlib/core';
import type { Channel, ConsumeMessage } from 'amqplib';
import { Acknowledger } from './acknowledger.js';
import { refusal } from './errors.js';
import type { Extras } from './inbound.js';
import { toInbound } from './inbound.js';
import type { Link } from './link.js';
import type { Standing } from './registry.js';
import { cancelled } from './topology.js';

/** How long a message rests after a `nack`: at once, a handler that always fails would leave no time for anything else. */
const PAUSE_AFTER_NACK_MS = 100;
/** Between two attempts to have back what the broker took away. */
const REOPEN_MS = { min: 100, max: 10_000 };

export interface ConsumerOptions {
  /** For errors: `the service add`. */
  readonly what: string;
  /** Declares and binds; resolves with the queue's name. */
  readonly declare: (link: Link) => Promise<string>;
  /** 0: the broker expects no acknowledgement. */
  readonly prefetch: number;
  readonly extras: (message: ConsumeMessage) => Extras;
  /** False: the message is not for the handler; it is acknowledged. */
  readonly wanted: (message: ConsumeMessage) => boolean;
  readonly onMessage: (message: Inbound) => void;
  /** The broker took it away, or does not give it back. */
  readonly onTrouble: (error: CommlibError) => void;
}

export class Consumer implements Standing {
  readonly #options: ConsumerOptions;
  #link: Link | undefined;
  #channel: Channel | undefined;
  #acknowledger: Acknowledger | undefined;
  #tag: string | undefined;
  #closed = false;
  /** Refused messages that wait to be given back. */
  readonly #resting = new Map<ReturnType<typeof setTimeout>, () => void>();
  /** With the handler. */
  #unsettled = 0;
  #idle: (() => void)[] = [];
  #reopening: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  async open(link: Link): Promise<void> {
    this.#discard();
    if (this.#closed) return;
    const { what, prefetch, declare } = this.#options;
    try {
      const queue = await declare(link);
      const channel = await link.channel((error) => this.#taken(link, channel, refusal(error, what)));
      const stopWatching = link.onEnd(() => {
        if (this.#channel === channel) this.#discard();
      });
      channel.once('close', () => process.nextTick(stopWatching));
      this.#channel = channel;
      this.#link = link;
      this.#acknowledger = prefetch === 0 ? undefined : new Acknowledger(channel);
      if (prefetch > 0) await channel.prefetch(Math.min(65_535, prefetch));
      const consumed = await channel.consume(
        queue,
        (message) => {
          if (message === null) this.#taken(link, channel, cancelled(queue));
          else this.#arrived(channel, message);
        },
        { noAck: prefetch === 0 },
      );
      this.#tag = consumed.consumerTag;
      if (this.#closed) await link.closeChannel(channel);
    } catch (error) {
      link.throwIfEnded();
      throw refusal(error, what);
    }
  }

  abandon(): void {
    void this.close();
  }

  /** Nothing is delivered from now on; resolves when what was delivered is settled and the broker knows. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reopening);
    const channel = this.#channel;
    const tag = this.#tag;
    if (channel === undefined) return;
    try {
      if (tag !== undefined) await channel.cancel(tag);
      for (const [timer, giveBack] of [...this.#resting]) {
        clearTimeout(timer);
        giveBack();
      }
      if (this.#unsettled > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
      this.#acknowledger?.flush();
      if (this.#channel === channel) await this.#link?.closeChannel(channel);
    } catch {
      // The link ended meanwhile: the broker has it all back.
    }
    this.#discard();
  }

  #arrived(channel: Channel, message: ConsumeMessage): void {
    const acknowledger = this.#acknowledger;
    if (channel !== this.#channel) return;
    if (acknowledger === undefined) {
      if (!this.#closed && this.#options.wanted(message))
        this.#options.onMessage(toInbound(message, this.#options.extras(message)));
      return;
    }
    acknowledger.arrived(message);
    // Came while the cancelling was under way: goes back with the channel.
    if (this.#closed) return acknowledger.settle(message, 'requeue');
    if (!this.#options.wanted(message)) return acknowledger.settle(message, 'ack');
    this.#unsettled++;
    let open = true;
    const settle = (outcome: Settlement) => {
      if (!open) return;
      open = false;
      // A delivery of an earlier channel is the broker's again.
      if (this.#acknowledger !== acknowledger) return;
      this.#settle(acknowledger, message, outcome);
    };
    this.#options.onMessage(toInbound(message, this.#options.extras(message), settle));
  }

  #settle(acknowledger: Acknowledger, message: ConsumeMessage, outcome: Settlement): void {
    if (outcome === 'ack') acknowledger.settle(message, 'ack');
    else if (outcome === 'reject') acknowledger.settle(message, 'reject');
    else if (this.#closed) acknowledger.settle(message, 'requeue');
    else this.#rest(acknowledger, message, outcome === 'nack' ? PAUSE_AFTER_NACK_MS : outcome.retryInMs);
    this.#unsettled--;
    if (this.#unsettled === 0) for (const done of this.#idle.splice(0)) done();
  }

  /** Held, unacknowledged, for its time; then any member of the group may have it. */
  #rest(acknowledger: Acknowledger, message: ConsumeMessage, forMs: number): void {
    const giveBack = () => {
      this.#resting.delete(timer);
      if (this.#acknowledger === acknowledger) acknowledger.settle(message, 'requeue');
    };
    const timer = setTimeout(giveBack, timerMs(forMs));
    this.#resting.set(timer, giveBack);
  }

  /** The broker closed the channel, or deleted the queue. */
  #taken(link: Link, channel: Channel, error: CommlibError): void {
    if (channel !== this.#channel || this.#closed) return;
    this.#options.onTrouble(error);
    this.#discard();
    void link.closeChannel(channel);
    this.#reopen(link, REOPEN_MS.min);
  }

  #reopen(link: Link, inMs: number): void {
    this.#reopening = setTimeout(() => {
      if (this.#closed || !link.alive || this.#channel) return;
      this.open(link).catch((error) => {
        if (this.#closed || !link.alive) return;
        if (inMs === REOPEN_MS.min) this.#options.onTrouble(error);
        this.#reopen(link, Math.min(REOPEN_MS.max, inMs * 2));
      });
    }, inMs);
    this.#reopening.unref();
  }

  /** The channel is gone: nothing can be settled any more, the broker will send it all again. */
  #discard(): void {
    this.#channel = undefined;
    this.#tag = undefined;
    this.#acknowledger = undefined;
    for (const timer of this.#resting.keys()) clearTimeout(timer);
    this.#resting.clear();
    this.#unsettled = 0;
    for (const done of this.#idle.splice(0)) done();
  }
}

/** An intake whose closing also does what follows it. */
export function intakeOf(consumer: Consumer, afterwards: (forget: boolean) => Promise<void>): Intake {
  let closing: Promise<void> | undefined;
  return {
    close: ({ forget = false } = {}) => {
      closing ??= consumer.close().then(() => afterwards(forget));
      return closing;
    },
  };
}
