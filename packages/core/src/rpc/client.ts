import type { RpcContract } from '../contract.js';
import type { EndpointHost } from '../endpoints/host.js';
import { requireBody } from '../endpoints/require.js';
import { runLayers } from '../middleware.js';
import { type AnyParameters, fill, type ParametersOf, type WithParameters } from '../names/parameters.js';
import { checkOutbound, type InputOf, type OutputOf, validateInbound } from '../schema.js';
import type { NativeOptions } from '../transport.js';
import { milliseconds } from '../util/check.js';
import type { ReplyBox } from './reply-box.js';

/** Options of an {@link RPCClient}; each call may override the first two. */
export interface RPCClientOptions<Text extends string = string> {
  /** The parameters of the name, when they are the same for every call. */
  readonly params?: ParametersOf<Text> | undefined;
  /** How long a call waits for its answer, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Answers come back to addresses under this prefix. Default: the node's. */
  readonly inboxPrefix?: string | undefined;
  /**
   * `raw`: requests are the data itself, without an envelope, for services of commlib-py up to 0.13.1 on AMQP; where
   * `capabilities.rawBodies` is there. Such a service cannot tell of an error: it answers `{}`, or not. Default `envelope`.
   */
  readonly body?: 'envelope' | 'raw' | undefined;
  readonly native?: NativeOptions | undefined;
}

/** Options of one call. */
export interface CallOptions<Text extends string = string> {
  readonly params?: ParametersOf<Text> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `call` takes: `params` only where the name has parameters. They are needed unless the client was given them. */
export type CallArguments<
  R extends RpcContract,
  Text extends string,
  Open extends boolean = true,
> = WithParameters<[data: InputOf<R['request']>], CallOptions<Text>, Text, Open>;

/** Calls one procedure. Made by {@link Node.client}; it holds nothing that must be closed. */
export class RPCClient<
  R extends RpcContract<Text>,
  Text extends string = string,
  Open extends boolean = true,
> {
  readonly contract: R;
  readonly #host: EndpointHost;
  readonly #box: ReplyBox;
  readonly #options: RPCClientOptions<Text>;
  readonly #address: string | undefined;
  readonly #timeoutMs: number;

  /** @internal */
  constructor(host: EndpointHost, box: ReplyBox, contract: R, options: RPCClientOptions<Text>) {
    requireBody(host.transport, options);
    this.contract = contract;
    this.#host = host;
    this.#box = box;
    this.#options = options;
    this.#timeoutMs = milliseconds(options.timeoutMs ?? 30_000, 'timeoutMs');
    if (contract.parameters.size === 0 || options.params) this.#address = this.#resolve(options.params);
  }

  /** Where requests go, in the broker's spelling; undefined while parameters are open. */
  get address(): string | undefined {
    return this.#address;
  }

  /**
   * Calls and waits for the answer. Any number of calls may be in flight; each gets its own answer.
   *
   * @throws {@link TimeoutError} (nobody answered; whether it was executed is not known), {@link RemoteError} (the
   *   service failed), {@link ConnectionError} `CONNECTION_LOST` (in flight when the connection went),
   *   {@link NotConnectedError} (not sent), {@link ValidationError} (the request, before it is sent; or the answer),
   *   {@link AbortedError}, {@link ClosedError}.
   */
  call(...[data, given]: CallArguments<R, Text, Open>): Promise<OutputOf<R['response']>> {
    const host = this.#host;
    try {
      // Every form of the arguments is this one, with or without its parameters.
      const options: CallOptions<Text> | undefined = given;
      const address = options?.params === undefined ? this.#address : this.#resolve(options.params);
      const to = address ?? this.#resolve(undefined);
      const layers = host.middleware.call;
      if (layers.length === 0) return this.#call(to, data, options);
      const context = { contract: this.contract, address: to, data: data as unknown };
      // What the outermost layer returns is the caller's: a layer that replaces the answer answers for its type.
      return runLayers(layers, context, async () => this.#call(to, context.data, options)) as Promise<
        OutputOf<R['response']>
      >;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #call(
    address: string,
    data: unknown,
    options: CallOptions<Text> | undefined,
  ): Promise<OutputOf<R['response']>> {
    const host = this.#host;
    const outgoing = {
      address,
      data,
      timeoutMs:
        options?.timeoutMs === undefined ? this.#timeoutMs : milliseconds(options.timeoutMs, 'timeoutMs'),
      signal: options?.signal,
      native: this.#options.native,
      raw: this.#options.body === 'raw',
    };
    const checked = host.validate.outbound
      ? checkOutbound(this.contract.request, `request for ${address}`, data)
      : undefined;
    const answer =
      checked instanceof Promise ? checked.then(() => this.#box.call(outgoing)) : this.#box.call(outgoing);
    if (!host.validate.inbound) return answer as Promise<OutputOf<R['response']>>; // the caller asked for no check
    return answer.then(
      (reply) =>
        validateInbound(this.contract.response, `answer of ${address}`, reply) as OutputOf<R['response']>,
    );
  }

  #resolve(params: AnyParameters | undefined): string {
    const name = fill(this.contract.name, { ...this.#options.params, ...params });
    return this.#host.transport.names.address(name);
  }
}
