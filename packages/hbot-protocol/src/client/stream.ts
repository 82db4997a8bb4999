/** What a bot publishes, as a handler or an async iterable gets it. */
import {
  type Message,
  type Node,
  type Schema,
  StateError,
  type Subscriber,
  type TopicContract,
} from '@commlib/core';

/** Called for each message, one after the other. */
export type StreamHandler<T> = (data: T, message: Message<T>) => void | Promise<void>;

type Contract<T> = TopicContract<string, Schema<unknown, T>>;

/**
 * A subscription to something a bot publishes. It survives reconnects. Without a handler it is an async iterable
 * (once); leaving the loop closes it.
 *
 * @example
 * ```ts
 * for await (const event of await bot.events()) console.log(event.type);
 * ```
 */
export class HbotStream<T> implements AsyncIterable<T>, AsyncDisposable {
  readonly #subscribers: readonly Subscriber<Contract<T>>[];
  readonly #onClose: (stream: HbotStream<T>) => void;

  /** @internal */
  constructor(subscribers: readonly Subscriber<Contract<T>>[], onClose: (stream: HbotStream<T>) => void) {
    this.#subscribers = subscribers;
    this.#onClose = onClose;
  }

  /** Messages lost because the reader was too slow. */
  get dropped(): number {
    return this.#subscribers.reduce((sum, subscriber) => sum + subscriber.dropped, 0);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, undefined> {
    for await (const message of this.messages()) yield message.data;
  }

  /** The same with what the broker said about each message (its address, for one). */
  async *messages(): AsyncGenerator<Message<T>, undefined> {
    // No Promise.race: a spelling that never brings anything would hold on to every message of the other.
    const arrived: Arrival<Message<T>>[] = [];
    let wake = () => {};
    const take = (source: AsyncIterator<Message<T>, undefined>) => {
      const arrive = (arrival: Arrival<Message<T>>) => {
        arrived.push(arrival);
        wake();
      };
      source.next().then(
        (result) => arrive({ source, result }),
        (error: unknown) => arrive({ error }),
      );
    };
    const sources = this.#subscribers.map((subscriber) => subscriber[Symbol.asyncIterator]());
    sources.forEach(take);
    try {
      for (let open = sources.length; open > 0; ) {
        const next = arrived.shift();
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else if ('error' in next) {
          throw next.error;
        } else if (next.result.done) {
          open--;
        } else {
          yield next.result.value;
          take(next.source);
        }
      }
    } finally {
      await this.close();
    }
  }

  /** Ends the subscription. An iterator ends after what it already has. */
  async close(): Promise<void> {
    this.#onClose(this);
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What one of the subscriptions brought. */
type Arrival<M> =
  | { readonly source: AsyncIterator<M, undefined>; readonly result: IteratorResult<M, undefined> }
  | { readonly error: unknown };

/** Subscribes to every spelling of one topic: a bot publishes on one of them only. */
export async function openStream<T>(
  node: Node,
  contracts: readonly Contract<T>[],
  handler: StreamHandler<T> | undefined,
  onClose: (stream: HbotStream<T>) => void,
): Promise<HbotStream<T>> {
  if (contracts.length === 0) throw new StateError('a stream needs a topic');
  const opened = await Promise.allSettled(
    contracts.map((contract) => (handler ? node.subscribe(contract, handler) : node.subscribe(contract))),
  );
  const subscribers = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = opened.find((result) => result.status === 'rejected');
  if (failed) {
    await Promise.allSettled(subscribers.map((subscriber) => subscriber.close()));
    throw failed.reason;
  }
  return new HbotStream(subscribers, onClose);
}
