import type { TopicContract, TopicOutput } from '../contract.js';
import { CommlibError, HandlerError, StateError } from '../errors.js';
import { runLayers } from '../middleware.js';
import { matches } from '../names/matcher.js';
import { levelsOf, type Name } from '../names/name.js';
import { type ParametersOf, toFilter } from '../names/parameters.js';
import { validateInbound } from '../schema.js';
import type { Inbound, Intake, NativeOptions, Start } from '../transport.js';
import { getOrMake } from '../util/get-or-make.js';
import { Lane } from '../util/lane.js';
import { after, type EndpointHost, plainPayload } from './host.js';
import { Message } from './message.js';
import { MessageBuffer } from './message-buffer.js';
import { requireSubscription } from './require.js';

/** Options of a subscription. */
export interface SubscriberOptions<Text extends string = string> {
  /** Parameters that are fixed; the others match anything. */
  readonly params?: Partial<ParametersOf<Text>> | undefined;
  /** Subscribers of one group share the messages; required for at-least-once topics. */
  readonly group?: string | undefined;
  /** Handlers that run at once; the order is kept per key (the message's key, or its address). Default 1. */
  readonly concurrency?: number | undefined;
  /**
   * Messages taken from the broker and not yet handled. Beyond it an at-most-once subscription drops its oldest (and
   * says so), an at-least-once one stops the intake. Default 1000.
   */
  readonly maxInFlight?: number | undefined;
  /** Default `new`. */
  readonly start?: Start | undefined;
  readonly native?: NativeOptions | undefined;
}

/** What a subscriber calls for each message. */
export type MessageHandler<T extends TopicContract, Text extends string> = (
  data: TopicOutput<T>,
  message: Message<TopicOutput<T>, ParametersOf<Text>>,
) => void | Promise<void>;

/**
 * Receives the messages of one topic: with a handler, or without one as an async iterable.
 * Made by {@link Node.subscribe}. Closing it ends the intake and waits for its handlers.
 */
export class Subscriber<T extends TopicContract<Text>, Text extends string = string>
  implements AsyncIterable<Message<TopicOutput<T>, ParametersOf<Text>>>, AsyncDisposable
{
  readonly contract: T;
  /** What the broker was asked for. */
  readonly filter: string;
  readonly #host: EndpointHost;
  readonly #handler: MessageHandler<T, Text> | undefined;
  readonly #buffer: MessageBuffer<Message<TopicOutput<T>, ParametersOf<Text>>> | undefined;
  readonly #lane: Lane<Inbound>;
  readonly #maxInFlight: number;
  readonly #settles: boolean;
  /** Levels to match again, where the broker's own matching is wider than ours. */
  readonly #again: readonly string[] | undefined;
  readonly #levels: (address: string) => readonly string[];
  readonly #options: SubscriberOptions<Text>;
  #intake: Intake | undefined;
  #closing: Promise<void> | undefined;
  #overflowing = false;
  #dropped = 0;

  /** @internal */
  constructor(
    host: EndpointHost,
    contract: T,
    handler: MessageHandler<T, Text> | undefined,
    options: SubscriberOptions<Text>,
  ) {
    requireSubscription(host.transport, contract, options);
    this.#host = host;
    this.contract = contract;
    this.#handler = handler;
    this.#options = options;
    this.#maxInFlight = positive(options.maxInFlight ?? 1000, 'maxInFlight');
    this.#settles = contract.delivery === 'at-least-once';
    const name: Name = toFilter(contract.name, options.params);
    this.filter = host.transport.names.filter(name);
    this.#again =
      host.transport.capabilities.exactFilters || name.kind === 'commlib' ? undefined : levelsOf(name);
    this.#levels = host.transport.names.levels;
    const concurrency = positive(options.concurrency ?? 1, 'concurrency');
    this.#lane = new Lane({
      concurrency,
      keyOf: (inbound) => inbound.key ?? inbound.address,
      run: (inbound) => this.#run(inbound),
    });
    if (handler === undefined) {
      this.#buffer = new MessageBuffer({
        limit: this.#maxInFlight,
        keepOldest: this.#settles,
        onDrop: () => this.#overflow(),
      });
    }
  }

  /** @internal */
  async open(): Promise<void> {
    const { transport } = this.#host;
    const intake = await transport.subscribe(
      this.filter,
      {
        delivery: this.contract.delivery,
        group: this.#options.group,
        maxInFlight: this.#maxInFlight,
        start: this.#options.start,
        native: this.#options.native,
      },
      (inbound) => this.#take(inbound),
    );
    this.#intake = intake;
    if (this.#closing) await intake.close();
  }

  /** Messages lost because this subscriber was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Ends the intake and waits for the handlers that run. An iterator ends after what it already has. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#host.forget(this);
      await this.#intake?.close();
      await this.#lane.idle();
      this.#buffer?.end();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal The connection ended for good: whoever waits for a message is told why. */
  abandon(error: Error): void {
    this.#buffer?.fail(error);
  }

  /**
   * The messages, one after the other. The buffer holds `maxInFlight`: at most once, the oldest are dropped beyond it;
   * at least once, the intake stops, and a message is acknowledged when the next one is asked for.
   * Leaving the loop closes the subscription.
   *
   * @throws {@link StateError} when the subscriber has a handler, or is iterated twice.
   */
  [Symbol.asyncIterator](): AsyncIterator<Message<TopicOutput<T>, ParametersOf<Text>>, undefined> {
    if (this.#buffer === undefined)
      throw new StateError(`the subscriber of ${this.filter} has a handler; it cannot be iterated`);
    return this.#buffer.iterate(() => this.close());
  }

  #take(inbound: Inbound): void {
    if (this.#again && !matches(this.#again, this.#levels(inbound.address))) return inbound.settle?.('ack');
    this.#host.counters.received++;
    if (!this.#settles && this.#lane.waiting >= this.#maxInFlight) {
      this.#lane.shift();
      this.#overflow();
    } else if (this.#overflowing && this.#lane.waiting === 0) {
      this.#overflowing = false;
    }
    this.#lane.push(inbound);
  }

  #overflow(): void {
    this.#dropped++;
    this.#host.counters.dropped++;
    if (this.#overflowing) return;
    this.#overflowing = true;
    this.#host.report({ type: 'overflow', endpoint: this.filter, dropped: this.#dropped });
  }

  #run(inbound: Inbound): void | Promise<void> {
    try {
      const result = after(plainPayload(this.#host, inbound.payload), (payload) =>
        this.#read(payload, inbound),
      );
      if (result instanceof Promise) return result.catch((error) => this.#refuse(inbound, error));
    } catch (error) {
      this.#refuse(inbound, error);
    }
  }

  #read(payload: Uint8Array, inbound: Inbound): void | Promise<void> {
    const host = this.#host;
    const raw = host.codec.decode(payload);
    if (!host.validate.inbound) return this.#deliver(raw, inbound);
    return after(validateInbound(this.contract.schema, `message on ${inbound.address}`, raw), (data) =>
      this.#deliver(data, inbound),
    );
  }

  #deliver(data: unknown, inbound: Inbound): void | Promise<void> {
    const host = this.#host;
    const message = new Message<TopicOutput<T>, ParametersOf<Text>>(
      data as TopicOutput<T>, // the schema's own output, or validation was switched off on purpose
      inbound,
      this.contract.parameters,
      this.#levels,
      host.signal,
    );
    const layers = host.middleware.receive;
    if (this.#handler === undefined) {
      if (layers.length === 0) return this.#buffer?.push(message, inbound);
      return runLayers(layers, { contract: this.contract, message }, async () =>
        this.#buffer?.push(message, inbound),
      ).catch((error) => this.#failed(inbound, error));
    }
    const handler = this.#handler;
    try {
      const result =
        layers.length === 0
          ? handler(message.data, message)
          : runLayers(layers, { contract: this.contract, message }, async () =>
              handler(message.data, message),
            );
      if (result instanceof Promise) {
        return result.then(
          () => inbound.settle?.('ack'),
          (error) => this.#failed(inbound, error),
        );
      }
      inbound.settle?.('ack');
    } catch (error) {
      this.#failed(inbound, error);
    }
  }

  /** What cannot be read is not worth a second delivery. */
  #refuse(inbound: Inbound, error: unknown): void {
    inbound.settle?.('reject');
    const known = CommlibError.is(error) ? error : new HandlerError(this.filter, error);
    const told = getOrMake(this.#host.refusals, inbound.payload, () => new Set());
    const what = `${this.filter} ${known.message}`;
    if (told.has(what)) return;
    told.add(what);
    this.#host.counters.dropped++;
    this.#host.report({ type: 'dropped', endpoint: this.filter, address: inbound.address, error: known });
  }

  #failed(inbound: Inbound, error: unknown): void {
    inbound.settle?.('nack');
    // Being shut down is not a failure: the handler was told by its signal.
    if (this.#host.signal.aborted) return;
    this.#host.report({
      type: 'handler-error',
      endpoint: this.filter,
      address: inbound.address,
      error: new HandlerError(this.filter, error),
    });
  }
}

function positive(value: number, what: string): number {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${what} must be a whole number above 0, not ${value}`);
  return value;
}
