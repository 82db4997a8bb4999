import type { TopicContract, TopicOutput } from '../contract.js';
import { CommlibError, DecodeError, HandlerError, StateError } from '../errors.js';
import { runLayers } from '../middleware.js';
import { matches } from '../names/matcher.js';
import { levelsOf, type Name } from '../names/name.js';
import { type ParametersOf, toFilter } from '../names/parameters.js';
import { validateInbound } from '../schema.js';
import type { Inbound, Intake, NativeOptions, Start } from '../transport.js';
import { positive } from '../util/check.js';
import { getOrMake } from '../util/get-or-make.js';
import { Lane } from '../util/lane.js';
import { isThenable } from '../util/thenable.js';
import { within } from '../util/within.js';
import { type CloseOptions, closeDeadline } from './close.js';
import { type BurialOptions, Deliveries, Delivery } from './delivery.js';
import { after, type EndpointHost, plainPayload } from './host.js';
import { Message } from './message.js';
import { MessageBuffer } from './message-buffer.js';
import { requireSubscription } from './require.js';

/** Options of a subscription. */
export interface SubscriberOptions<Text extends string = string> extends BurialOptions {
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
  /** How long to wait for the broker's confirmation, in milliseconds; offline, for its return. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Gives up waiting for the confirmation. A subscription that is made is ended by `close()`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a subscriber calls for each message. What it returns is ignored, but for a promise, which is waited for. */
export type MessageHandler<T extends TopicContract, Text extends string> = (
  data: TopicOutput<T>,
  message: Message<TopicOutput<T>, ParametersOf<Text>>,
) => unknown;

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
  readonly #deliveries: Deliveries | undefined;
  /** Levels to match again, where the broker's own matching is wider than ours. */
  readonly #again: readonly string[] | undefined;
  readonly #levels: (address: string) => readonly string[];
  readonly #options: SubscriberOptions<Text>;
  #intake: Intake | undefined;
  #closing: Promise<void> | undefined;
  /** No more handlers are begun. */
  #ended = false;
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
    this.#levels = (address) => host.transport.names.levels(address, name.kind);
    if (this.#settles) this.#deliveries = new Deliveries(host, this.filter, options);
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

  /**
   * Ends the intake and waits for the handlers of what was received, but not longer than the deadline. An iterator ends
   * after what it already has; at least once, what it has not been asked for goes back to the broker.
   * A handler (or a loop) of this very subscriber that awaits it waits for itself, that is until the deadline.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(closeDeadline(options));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const stopped = this.#intake?.close();
    if (this.#settles) this.#buffer?.end();
    const inTime = await within(deadlineMs, Promise.allSettled([stopped, this.#lane.idle()]));
    this.#host.forget(this);
    this.#buffer?.end();
    if (inTime) return stopped;
    this.#ended = true;
    for (let left = this.#lane.shift(); left; left = this.#lane.shift()) left.settle?.('nack');
    this.#buffer?.giveBack();
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
    // Delivered while the closing was under way: another member of the group may have it.
    if (this.#closing) return inbound.settle?.('nack');
    if (this.#again && !matches(this.#again, this.#levels(inbound.address))) return inbound.settle?.('ack');
    this.#host.counters.received++;
    if (!this.#settles && this.#lane.waiting >= this.#maxInFlight) {
      this.#lane.shift()?.settle?.('reject');
      this.#overflow();
    } else if (this.#overflowing && this.#lane.waiting === 0 && !this.#buffer?.length) {
      this.#overflowing = false;
    }
    const taken = this.#deliveries ? this.#deliveries.take(inbound) : inbound;
    if (taken) this.#lane.push(taken);
  }

  #overflow(): void {
    this.#dropped++;
    this.#host.counters.dropped++;
    if (this.#overflowing) return;
    this.#overflowing = true;
    this.#host.report({ type: 'overflow', endpoint: this.filter, dropped: this.#dropped });
  }

  #run(inbound: Inbound): void | Promise<void> {
    if (this.#ended || this.#host.signal.aborted) {
      inbound.settle?.('nack');
      return;
    }
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
    const handler = this.#handler;
    if (handler === undefined) return this.#offer(message, inbound);
    const layers = host.middleware.receive;
    try {
      const result =
        layers.length === 0
          ? handler(message.data, message)
          : runLayers(layers, { contract: this.contract, message }, async () => {
              await handler(message.data, message);
            });
      if (isThenable(result)) {
        return Promise.resolve(result).then(
          () => inbound.settle?.('ack'),
          (error) => this.#failed(inbound, error),
        );
      }
      inbound.settle?.('ack');
    } catch (error) {
      this.#failed(inbound, error);
    }
  }

  /** For the iterator, which settles what it is given. */
  #offer(message: Message<TopicOutput<T>, ParametersOf<Text>>, inbound: Inbound): void | Promise<void> {
    const layers = this.#host.middleware.receive;
    if (layers.length === 0) return this.#buffer?.push(message, inbound);
    let offered = false;
    const offer = async () => {
      if (!offered) this.#buffer?.push(message, inbound);
      offered = true;
    };
    return runLayers(layers, { contract: this.contract, message }, offer).then(
      () => {
        // Kept back on purpose.
        if (!offered) inbound.settle?.('ack');
      },
      (error) => (offered ? this.#reportFailure(inbound, error) : this.#failed(inbound, error)),
    );
  }

  /** What cannot be read is not worth a second delivery. */
  #refuse(inbound: Inbound, error: unknown): void {
    const known = CommlibError.is(error)
      ? error
      : new DecodeError('MALFORMED', 'the message could not be read', { cause: error });
    if (inbound instanceof Delivery) inbound.reject(known);
    const told = getOrMake(this.#host.refusals, inbound.payload, () => new Set());
    const what = `${this.filter} ${known.message}`;
    if (told.has(what)) return;
    told.add(what);
    this.#host.counters.dropped++;
    this.#host.report({ type: 'dropped', endpoint: this.filter, address: inbound.address, error: known });
  }

  #failed(inbound: Inbound, error: unknown): void {
    // Being shut down is no failure of the message: it goes back uncounted.
    if (this.#host.signal.aborted) inbound.settle?.('nack');
    else if (inbound instanceof Delivery) inbound.fail(error);
    this.#reportFailure(inbound, error);
  }

  #reportFailure(inbound: Inbound, error: unknown): void {
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
