/**
 * The acknowledgements of one channel, gathered for as long as handlers finish without waiting: a run of settled deliveries
 * is one frame (`multiple`), not one each.
 */
import type { Channel, ConsumeMessage } from 'amqplib';

type Outcome = 'ack' | 'reject' | 'requeue';

export class Acknowledger {
  readonly #channel: Channel;
  /** Not yet acknowledged, oldest first: delivery tags count up by one. */
  readonly #open = new Map<number, ConsumeMessage>();
  /** To be acknowledged by the next flush. */
  readonly #done = new Map<number, ConsumeMessage>();
  #scheduled = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  arrived(message: ConsumeMessage): void {
    this.#open.set(message.fields.deliveryTag, message);
  }

  settle(message: ConsumeMessage, outcome: Outcome): void {
    const tag = message.fields.deliveryTag;
    if (outcome !== 'ack') {
      if (this.#open.delete(tag)) this.#send(() => this.#channel.nack(message, false, outcome === 'requeue'));
      return;
    }
    this.#done.set(tag, message);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After everything that is ready to run now: the handlers of one chunk of deliveries mostly are.
    process.nextTick(() => this.flush());
  }

  flush(): void {
    this.#scheduled = false;
    let upTo: ConsumeMessage | undefined;
    for (const tag of this.#open.keys()) {
      const message = this.#done.get(tag);
      if (message === undefined) break;
      upTo = message;
      this.#open.delete(tag);
      this.#done.delete(tag);
    }
    const run = upTo;
    if (run) this.#send(() => this.#channel.ack(run, true));
    for (const [tag, message] of this.#done) {
      if (this.#open.delete(tag)) this.#send(() => this.#channel.ack(message));
    }
    this.#done.clear();
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
