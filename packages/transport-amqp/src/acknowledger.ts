/**
 * The acknowledgements of one channel, gathered for as long as handlers finish without waiting: a run of settled deliveries
 * is one frame (`multiple`), not one each.
 */
import { PassingMap } from '@commlib/core';
import type { Channel, ConsumeMessage } from 'amqplib';

type Outcome = 'ack' | 'reject' | 'requeue';

interface Delivery {
  readonly message: ConsumeMessage;
  /** To be acknowledged by the next flush. */
  done: boolean;
}

export class Acknowledger {
  readonly #channel: Channel;
  /** Not yet acknowledged, oldest first: delivery tags count up by one. */
  readonly #open = new PassingMap<number, Delivery>();
  /** The tags of those that are done. */
  #done: number[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  arrived(message: ConsumeMessage): void {
    this.#open.set(message.fields.deliveryTag, { message, done: false });
  }

  settle(message: ConsumeMessage, outcome: Outcome): void {
    const tag = message.fields.deliveryTag;
    if (outcome !== 'ack') {
      if (this.#open.delete(tag)) this.#send(() => this.#channel.nack(message, false, outcome === 'requeue'));
      return;
    }
    const delivery = this.#open.get(tag);
    if (delivery === undefined || delivery.done) return;
    delivery.done = true;
    // After everything that is ready to run now: the handlers of one chunk of deliveries mostly are.
    if (this.#done.push(tag) === 1) process.nextTick(() => this.flush());
  }

  flush(): void {
    const done = this.#done;
    if (done.length === 0) return;
    this.#done = [];
    let upTo: ConsumeMessage | undefined;
    for (const [tag, delivery] of this.#open) {
      if (!delivery.done) break;
      upTo = delivery.message;
      this.#open.delete(tag);
    }
    const run = upTo;
    if (run) this.#send(() => this.#channel.ack(run, true));
    for (const tag of done) {
      const single = this.#open.take(tag);
      if (single) this.#send(() => this.#channel.ack(single.message));
    }
  }

  /** A channel that is closing throws: the broker has the messages back then. */
  #send(frame: () => void): void {
    try {
      frame();
    } catch {
      this.#open.clear();
    }
  }
}
