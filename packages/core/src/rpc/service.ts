import type { ServeMode } from '../capabilities.js';
import type { RpcContract } from '../contract.js';
import { after, type EndpointHost, plainPayload } from '../endpoints/host.js';
import { requireService } from '../endpoints/require.js';
import {
  CommlibError,
  DecodeError,
  HandlerError,
  RefusedRequestError,
  ServiceError,
  ValidationError,
} from '../errors.js';
import { runLayers } from '../middleware.js';
import { fill, type ParametersOf } from '../names/parameters.js';
import { checkOutbound, type InputOf, type OutputOf, validateInbound } from '../schema.js';
import type { Inbound, Intake, NativeOptions, ReplyTarget } from '../transport.js';
import { Lane } from '../util/lane.js';
import { type Envelope, readEnvelope, type WireError } from './envelope.js';
import { Request } from './request.js';
import { SeenRequests } from './seen.js';

/** Options of a service. */
export interface RPCServiceOptions<Text extends string = string> {
  readonly params?: ParametersOf<Text> | undefined;
  /** `compete`: one of several services takes a request; `all`: each does. Unsaid: the wire's own (MQTT all, Redis one). */
  readonly mode?: ServeMode | undefined;
  /** Requests handled at once. Default 64. */
  readonly concurrency?: number | undefined;
  /** Requests that may wait for a free handler; the next is answered `OVERLOADED`. Default 10 000. */
  readonly maxQueued?: number | undefined;
  /** A request whose envelope has no `data`: refused, or handled as `{}` (Hummingbot 2.15+ does). Default `refuse`. */
  readonly missingData?: 'refuse' | 'empty' | undefined;
  readonly native?: NativeOptions | undefined;
}

/** What a service calls for each request. Throw a {@link ServiceError} to answer with an error of your own. */
export type RequestHandler<R extends RpcContract, Text extends string> = (
  data: OutputOf<R['request']>,
  request: Request<OutputOf<R['request']>, ParametersOf<Text>>,
) => InputOf<R['response']> | Promise<InputOf<R['response']>>;

interface Job {
  readonly inbound: Inbound;
  readonly envelope: Envelope;
  readonly target: ReplyTarget;
}

/**
 * Answers the requests of one procedure. Made by {@link Node.serve}.
 *
 * Requests kept by the broker (retained) are not executed, and one reply address is executed at most once within 60 s:
 * a command must not run twice because a broker delivered it twice.
 */
export class RPCService<R extends RpcContract<Text>, Text extends string = string>
  implements AsyncDisposable
{
  readonly contract: R;
  /** Where requests are taken, in the broker's spelling. */
  readonly address: string;
  readonly #host: EndpointHost;
  readonly #handler: RequestHandler<R, Text>;
  readonly #options: RPCServiceOptions<Text>;
  readonly #maxQueued: number;
  readonly #lane: Lane<Job>;
  readonly #seen = new SeenRequests();
  #intake: Intake | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    host: EndpointHost,
    contract: R,
    handler: RequestHandler<R, Text>,
    options: RPCServiceOptions<Text>,
  ) {
    requireService(host.transport, options);
    this.contract = contract;
    this.#host = host;
    this.#handler = handler;
    this.#options = options;
    this.#maxQueued = options.maxQueued ?? 10_000;
    this.address = host.transport.names.address(fill(contract.name, options.params ?? {}));
    this.#lane = new Lane({
      concurrency: options.concurrency ?? 64,
      keyOf: () => undefined,
      run: (job) => (job.inbound.settle ? this.#work(job) : this.#handle(job)),
    });
  }

  /** @internal */
  async open(): Promise<void> {
    const { concurrency = 64, mode, native } = this.#options;
    this.#intake = await this.#host.transport.serve(
      this.address,
      { mode, native, maxInFlight: concurrency },
      (inbound) => this.#take(inbound),
    );
    if (this.#closing) await this.#intake.close();
  }

  /** Takes no more requests and waits until those it has are answered. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#host.forget(this);
      await this.#intake?.close();
      await this.#lane.idle();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(inbound: Inbound): void {
    this.#host.counters.received++;
    try {
      if (inbound.retained) {
        throw new RefusedRequestError('RETAINED_REQUEST', 'a request kept by the broker was not executed');
      }
      const accepted = after(plainPayload(this.#host, inbound.payload), (payload) =>
        this.#accept(payload, inbound),
      );
      if (accepted instanceof Promise) accepted.catch((error) => this.#refuse(inbound, error));
    } catch (error) {
      this.#refuse(inbound, error);
    }
  }

  #accept(payload: Uint8Array, inbound: Inbound): undefined {
    const envelope = readEnvelope(this.#host.codec, payload);
    const target = targetOf(inbound, envelope);
    if (target === undefined) {
      throw new RefusedRequestError('NO_REPLY_ADDRESS', 'a request without a reply address was not executed');
    }
    // What cannot be answered is not executed: its sender could never know.
    this.#host.transport.names.checkReply?.(target.replyTo);
    const identity = this.#identity(target);
    if (identity !== undefined && this.#seen.repeated(identity)) {
      throw new RefusedRequestError('REPEATED_REQUEST', 'a request that came before was not executed again');
    }
    const job = { inbound, envelope, target };
    const hindrance = this.#hindrance(envelope);
    if (hindrance === undefined) {
      this.#lane.push(job);
      return;
    }
    this.#refuse(inbound, hindrance);
    void this.#fail(job, hindrance);
  }

  /** Why a request that can be answered is not executed. */
  #hindrance({ dataMissing }: Envelope): CommlibError | undefined {
    if (dataMissing && this.#options.missingData !== 'empty')
      return new DecodeError('MALFORMED', 'the request has no data');
    if (this.#lane.waiting < this.#maxQueued) return undefined;
    return new CommlibError('OVERLOADED', `${this.address} has ${this.#maxQueued} requests waiting`);
  }

  /**
   * What tells one request from another: the reply address where it is new for each call, else the correlation id within
   * it. Without either (commlib-py's AMQP client) repetitions cannot be told from calls, and all are executed.
   */
  #identity({ replyTo, correlationId }: ReplyTarget): string | undefined {
    if (this.#host.transport.capabilities.correlation === 'address') return replyTo;
    return correlationId === undefined ? undefined : `${replyTo}/${correlationId}`;
  }

  async #work(job: Job): Promise<void> {
    await this.#handle(job);
    job.inbound.settle?.('ack');
  }

  #handle(job: Job): Promise<void> {
    const raw = job.envelope.dataMissing ? {} : job.envelope.data;
    if (!this.#host.validate.inbound) return this.#run(job, raw);
    try {
      const data = validateInbound(this.contract.request, `request on ${this.address}`, raw);
      if (!(data instanceof Promise)) return this.#run(job, data);
      return data.then(
        (value) => this.#run(job, value),
        (error) => this.#invalid(job, error),
      );
    } catch (error) {
      return this.#invalid(job, error);
    }
  }

  #run(job: Job, data: unknown): Promise<void> {
    try {
      return this.#serve(job, data).catch((error) => this.#failed(job, error));
    } catch (error) {
      return this.#failed(job, error);
    }
  }

  #serve(job: Job, data: unknown): Promise<void> {
    const host = this.#host;
    host.counters.served++;
    const request = new Request<OutputOf<R['request']>, ParametersOf<Text>>(
      data as OutputOf<R['request']>, // the schema's own output, or validation was switched off on purpose
      job.envelope.header,
      job.inbound,
      this.contract.parameters,
      host.transport.names.levels,
      host.signal,
    );
    const layers = host.middleware.serve;
    const result =
      layers.length === 0
        ? this.#handler(request.data, request)
        : runLayers(layers, { contract: this.contract, request }, async () =>
            this.#handler(request.data, request),
          );
    return result instanceof Promise
      ? result.then((response) => this.#answer(job, response))
      : this.#answer(job, result);
  }

  #answer(job: Job, response: unknown): Promise<void> {
    const host = this.#host;
    if (host.validate.outbound) {
      const checked = checkOutbound(this.contract.response, `answer of ${this.address}`, response);
      if (checked instanceof Promise) return checked.then(() => this.#respond(job, response));
    }
    return this.#respond(job, response);
  }

  #respond(job: Job, data: unknown, error?: WireError): Promise<void> {
    const host = this.#host;
    const correlation =
      host.transport.capabilities.correlation === 'envelope' ? job.target.correlationId : undefined;
    const payload = host.envelopes.write(data, '', correlation, error);
    if (host.compress === undefined) return host.transport.respond(job.inbound, job.target, payload);
    return host.compress(payload).then((small) => host.transport.respond(job.inbound, job.target, small));
  }

  #invalid(job: Job, error: unknown): Promise<void> {
    this.#drop(job.inbound, error);
    return this.#fail(job, error);
  }

  #failed(job: Job, error: unknown): Promise<void> {
    const host = this.#host;
    // An error the handler chose is an answer, and being shut down is not a failure.
    if (!(error instanceof ServiceError) && !host.signal.aborted) {
      const known = CommlibError.is(error) ? error : new HandlerError(this.address, error);
      host.report({
        type: 'handler-error',
        endpoint: this.address,
        address: job.inbound.address,
        error: known,
      });
    }
    return this.#fail(job, error);
  }

  async #fail(job: Job, error: unknown): Promise<void> {
    const data = this.#host.transport.capabilities.failureData === 'empty' ? {} : null;
    try {
      await this.#respond(job, data, toWire(error));
    } catch (cause) {
      if (this.#host.signal.aborted) return;
      // The answer failed for the reason that was told already (offline).
      if (CommlibError.is(cause) && CommlibError.is(error, cause.code)) return;
      const known = CommlibError.is(cause) ? cause : new HandlerError(this.address, cause);
      this.#host.report({
        type: 'handler-error',
        endpoint: this.address,
        address: job.target.replyTo,
        error: known,
      });
    }
  }

  #refuse(inbound: Inbound, error: unknown): void {
    this.#drop(inbound, error);
    inbound.settle?.('reject');
  }

  #drop(inbound: Inbound, error: unknown): void {
    this.#host.counters.dropped++;
    const known = CommlibError.is(error)
      ? error
      : new DecodeError('MALFORMED', 'the request could not be read', { cause: error });
    this.#host.report({ type: 'dropped', endpoint: this.address, address: inbound.address, error: known });
  }
}

/** Where the answer goes: what the protocol says comes before what the envelope says. */
function targetOf(inbound: Inbound, { header }: Envelope): ReplyTarget | undefined {
  const replyTo = inbound.replyTo ?? header.reply_to;
  if (typeof replyTo !== 'string' || replyTo === '') return undefined;
  const correlationId = inbound.correlationId ?? header.correlation_id;
  return typeof correlationId === 'string' ? { replyTo, correlationId } : { replyTo };
}

/** What a caller is told. Of an unexpected error the message only: a stack or a cause is the service's own business. */
function toWire(error: unknown): WireError {
  if (error instanceof ServiceError)
    return { code: error.code, message: error.message, details: error.details };
  if (error instanceof ValidationError)
    return { code: error.code, message: error.message, details: { issues: error.issues } };
  if (CommlibError.is(error)) return { code: error.code, message: error.message };
  return { code: 'HANDLER_FAILED', message: error instanceof Error ? error.message : String(error) };
}
