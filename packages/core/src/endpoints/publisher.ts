import { assertPublishable, type TopicContract, type TopicInput } from '../contract.js';
import { AbortedError } from '../errors.js';
import { runLayers } from '../middleware.js';
import { type AnyParameters, fill, type ParametersOf, type WithParameters } from '../names/parameters.js';
import { checkOutbound } from '../schema.js';
import type { NativeOptions, SendOptions } from '../transport.js';
import { after, type EndpointHost } from './host.js';
import { requireSendOptions } from './require.js';

/** Options of a {@link Publisher}; each message may override them. */
export interface PublisherOptions<Text extends string = string> {
  /** The parameters of the topic's name, when they are the same for every message. */
  readonly params?: ParametersOf<Text> | undefined;
  /** The broker keeps the last message for later subscribers. Default false. */
  readonly retain?: boolean | undefined;
  readonly native?: NativeOptions | undefined;
}

/** Options of one message. */
export interface PublishOptions<Text extends string = string> extends Omit<SendOptions, 'delivery'> {
  readonly params?: ParametersOf<Text> | undefined;
}

/** What `publish` takes: `params` only where the topic has parameters. They are needed unless the publisher was given them. */
export type PublishArguments<
  T extends TopicContract,
  Text extends string,
  Open extends boolean = true,
> = WithParameters<[data: TopicInput<T>], PublishOptions<Text>, Text, Open>;

/** Publishes messages on one topic. Made by {@link Node.publisher}; it holds nothing that must be closed. */
export class Publisher<
  T extends TopicContract<Text>,
  Text extends string = string,
  Open extends boolean = true,
> {
  readonly contract: T;
  readonly #host: EndpointHost;
  readonly #options: PublisherOptions<Text>;
  readonly #address: string | undefined;
  readonly #send: SendOptions | undefined;

  /** @internal */
  constructor(host: EndpointHost, contract: T, options: PublisherOptions<Text>) {
    assertPublishable(contract);
    this.#host = host;
    this.contract = contract;
    this.#options = options;
    const { retain, native } = options;
    const delivery = contract.delivery === 'at-most-once' ? undefined : contract.delivery;
    this.#send = retain || native || delivery ? { delivery, retain, native } : undefined;
    if (this.#send) requireSendOptions(host.transport, this.#send);
    if (contract.parameters.size === 0 || options.params) this.#address = this.#resolve(options.params);
  }

  /**
   * Publishes one message.
   *
   * Resolves when the message was handed to the connection; for an `at-least-once` topic, when the broker has taken
   * responsibility for it.
   *
   * @throws {@link ValidationError}, {@link EncodeError}, {@link InvalidNameError} for what was given;
   *   {@link NotConnectedError} while offline (at-most-once), {@link BufferFullError} (at-least-once);
   *   {@link UnsupportedError} for an option the transport cannot honour; {@link AbortedError}.
   */
  publish(...[data, given]: PublishArguments<T, Text, Open>): Promise<void> {
    try {
      // Every form of the arguments is this one, with or without its parameters.
      const options: PublishOptions<Text> | undefined = given;
      const address = options?.params === undefined ? this.#address : this.#resolve(options.params);
      return this.#publish(address ?? this.#resolve(undefined), data, this.#merge(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publish(address: string, data: unknown, send: SendOptions | undefined): Promise<void> {
    const { middleware, validate } = this.#host;
    if (send?.signal?.aborted) throw new AbortedError(`publishing on ${address}`, send.signal.reason);
    const go = (value: unknown): Promise<void> => {
      const checked = validate.outbound
        ? checkOutbound(this.contract.schema, `message for ${address}`, value)
        : undefined;
      if (checked instanceof Promise) return checked.then(() => this.#transmit(address, value, send));
      return this.#transmit(address, value, send);
    };
    if (middleware.publish.length === 0) return go(data);
    const context = { contract: this.contract, address, data };
    return runLayers(middleware.publish, context, async () => go(context.data));
  }

  #transmit(address: string, data: unknown, send: SendOptions | undefined): Promise<void> {
    const host = this.#host;
    const payload = host.codec.encode(data);
    host.counters.published++;
    if (host.compress === undefined) return host.transport.publish(address, payload, send);
    return Promise.resolve(
      after(host.compress(payload), (small) => host.transport.publish(address, small, send)),
    );
  }

  #resolve(params: AnyParameters | undefined): string {
    const name = fill(this.contract.name, { ...this.#options.params, ...params });
    return this.#host.transport.names.address(name);
  }

  #merge(options: PublishOptions<Text> | undefined): SendOptions | undefined {
    if (options === undefined) return this.#send;
    const { key, headers, expiresInMs, mandatory, signal } = options;
    const send: SendOptions = {
      ...this.#send,
      key,
      headers,
      expiresInMs,
      mandatory,
      signal,
      retain: options.retain ?? this.#send?.retain,
      native: options.native ?? this.#send?.native,
    };
    requireSendOptions(this.#host.transport, send);
    return send;
  }
}
