/** The channel of what the broker is to confirm: the outlet of the buffer of unconfirmed messages. */
import { type CommlibError, NoReceiverError, type Outlet, PassingMap, randomHex } from '@commlib/core';
import type { ConfirmChannel, Options } from 'amqplib';
import { refusal } from './errors.js';
import type { Link } from './link.js';
import type { Outgoing } from './sender.js';

/**
 * A queue that has no leader yet, as after a restart, has the broker refuse a message that it would take a little later: it is
 * sent again so many times, within some 15 seconds.
 */
const MAX_NACKS = 20;

/** A message under way. */
interface Sending {
  /** Where the broker is asked to return it: told from others by this. */
  readonly id: string | undefined;
  /** Its place among the unconfirmed. */
  readonly place: number;
  readonly done: (error?: CommlibError) => void;
}

export class Confirming implements Outlet<Outgoing> {
  readonly #channel: ConfirmChannel;
  readonly #window: number;
  /** So many go out one by one: one of them made the broker close the channel before. */
  #cautious: number;
  /** Sent and unconfirmed. */
  readonly #open = new PassingMap<number, (error?: CommlibError) => void>();
  #sent = 0;
  /** Messages the broker returned, whose confirmation is still to come. */
  readonly #returned = new Set<string>();
  #congested = false;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined;
  #ids = 0;
  readonly #prefix = randomHex();

  /**
   * @param cautious So many messages go out one at a time, to find the one that the broker objects to.
   * @param onClosed With the broker's reason and the number of messages that may be meant.
   */
  static async open(
    link: Link,
    window: number,
    cautious: number,
    onClosed: (error: CommlibError, suspects: number) => void,
  ): Promise<Confirming> {
    const channel = await link.confirmChannel((error) => {
      const reason = refusal(error, 'a published message');
      const [only] = confirming.#open.values();
      // Alone under way: it is the one.
      if (confirming.#open.size === 1) only?.(reason);
      onClosed(reason, confirming.#open.size + confirming.#cautious);
    });
    const confirming = new Confirming(channel, window, cautious);
    return confirming;
  }

  private constructor(channel: ConfirmChannel, window: number, cautious: number) {
    this.#channel = channel;
    this.#window = window;
    this.#cautious = cautious;
    channel.on('return', (message) => this.#returned.add(String(message.properties.messageId)));
    channel.on('drain', () => {
      this.#congested = false;
      this.#drained?.resolve();
      this.#drained = undefined;
    });
  }

  get window(): number {
    return this.#cautious > 0 ? 1 : this.#window;
  }

  get congested(): boolean {
    return this.#congested;
  }

  drained(): Promise<void> {
    if (this.#drained === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#drained = { promise, resolve };
    }
    return this.#drained.promise;
  }

  send(message: Outgoing, confirm: (error?: CommlibError) => void): void {
    const id = message.properties.mandatory ? `${this.#prefix}-${++this.#ids}` : undefined;
    const properties = id === undefined ? message.properties : { ...message.properties, messageId: id };
    const place = this.#sent++;
    const done = (error?: CommlibError) => {
      if (!this.#open.delete(place)) return;
      if (this.#cautious > 0) this.#cautious--;
      confirm(error);
    };
    this.#open.set(place, done);
    this.#publish(message, properties, { id, place, done }, 1);
  }

  #publish(message: Outgoing, properties: Options.Publish, sending: Sending, attempt: number): void {
    const { id, place, done } = sending;
    const { exchange, routingKey, content } = message;
    try {
      const onConfirm = (error: unknown) => {
        if (id !== undefined && this.#returned.delete(id)) done(new NoReceiverError(routingKey));
        else if (error === null || error === undefined) done();
        else if (error instanceof Error && error.message === 'message nacked') {
          if (attempt >= MAX_NACKS) return done(refusal(error, `a message to ${routingKey}`));
          const again = () => {
            if (this.#open.has(place)) this.#publish(message, properties, sending, attempt + 1);
          };
          setTimeout(again, Math.min(1000, attempt * 100)).unref();
        }
        // Else the channel closed: whoever closed it says what becomes of its messages.
      };
      this.#congested = !this.#channel.publish(exchange, routingKey, content, properties, onConfirm);
    } catch (error) {
      // Not sent at all, and never will be: headers that AMQP cannot carry. A channel that is closed is seen to elsewhere.
      if (!(error instanceof Error && error.name === 'IllegalOperationError'))
        queueMicrotask(() => done(refusal(error, `a message to ${routingKey}`)));
    }
  }
}
