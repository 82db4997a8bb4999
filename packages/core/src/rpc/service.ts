import type { ServeMode } from '../capabilities.js';
import type { RpcContract } from '../contract.js';
import { type CloseOptions, closeDeadline } from '../endpoints/close.js';
import { type EndpointHost, plainPayload } from '../endpoints/host.js';
import { requireService } from '../endpoints/require.js';
import { CommlibError, DecodeError, RefusedRequestError } from '../errors.js';
import { runLayers } from '../middleware.js';
import { fill, type ParametersOf } from '../names/parameters.js';
import { checkOutbound, type InputOf, type OutputOf, validateInbound } from '../schema.js';
import type { Inbound, Intake, NativeOptions } from '../transport.js';
import { positive } from '../util/check.js';
import { Lane } from '../util/lane.js';
import { isThenable } from '../util/thenable.js';
import { within } from '../util/within.js';
import { Answers } from './answers.js';
import { type Job, JobReader } from './job.js';
import { Request } from './request.js';
import { toWireError } from './wire-error.js';

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
  /** How long to wait for the broker's confirmation, in milliseconds; offline, for its return. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Gives up waiting for the confirmation. A service that is there is ended by `close()`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a service calls for each request. Throw a {@link ServiceError} to answer with an error of your own. */
export type RequestHandler<R extends RpcContract, Text extends string> = (
  data: OutputOf<R['request']>,
  request: Request<OutputOf<R['request']>, ParametersOf<Text>>,
) => InputOf<R['response']> | PromiseLike<InputOf<R['response']>>;

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
  readonly #concurrency: number;
  readonly #maxQueued: number;
  readonly #lane: Lane<Inbound>;
  /** Requests beyond `maxQueued`: read only to be answered, one at a time where they must be decompressed. */
  readonly #surplus: Lane<Inbound>;
  readonly #levels: (address: string) => readonly string[];
  readonly #reader: JobReader;
  readonly #answers: Answers;
  #intake: Intake | undefined;
  #closing: Promise<void> | undefined;
  /** No more handlers are begun. */
  #ended = false;

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
    this.#concurrency = positive(options.concurrency ?? 64, 'concurrency');
    this.#maxQueued = options.maxQueued ?? 10_000;
    this.address = host.transport.names.address(fill(contract.name, options.params ?? {}));
    this.#levels = (address) => host.transport.names.levels(address, contract.name.kind);
    this.#reader = new JobReader(host);
    this.#answers = new Answers(host, this.address);
    const keyOf = () => undefined;
    this.#lane = new Lane({ concurrency: this.#concurrency, keyOf, run: (inbound) => this.#work(inbound) });
    this.#surplus = new Lane({ concurrency: 1, keyOf, run: (inbound) => this.#turnAway(inbound) });
  }

  /** @internal */
  async open(): Promise<void> {
    const { mode, native } = this.#options;
    const intake = await this.#host.transport.serve(
      this.address,
      { mode, native, maxInFlight: this.#concurrency },
      (inbound) => this.#take(inbound),
    );
    this.#intake = intake;
    if (this.#closing) await intake.close();
  }

  /**
   * Takes no more requests and waits until those it has are answered, but not longer than the deadline. A handler of this
   * very service that awaits it waits for itself, that is until then.
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
    const inTime = await within(deadlineMs, Promise.allSettled([stopped, this.#lane.idle()]));
    this.#host.forget(this);
    if (inTime) return stopped;
    this.#ended = true;
    for (let left = this.#lane.shift(); left; left = this.#lane.shift()) left.settle?.('nack');
  }

  #take(inbound: Inbound): void {
    // Delivered while the closing was under way: another service may have it.
    if (this.#closing) return inbound.settle?.('nack');
    this.#host.counters.received++;
    if (inbound.retained) {
      const why = 'a request kept by the broker was not executed';
      this.#refuse(inbound, new RefusedRequestError('RETAINED_REQUEST', why));
    } else if (this.#lane.waiting < this.#maxQueued) {
      this.#lane.push(inbound);
    } else if (this.#surplus.waiting < this.#maxQueued) {
      this.#surplus.push(inbound);
    } else {
      this.#refuse(inbound, this.#overloaded());
    }
  }

  /** Reads, executes, answers, settles. */
  #work(inbound: Inbound): void | Promise<void> {
    if (this.#ended || this.#host.signal.aborted) {
      inbound.settle?.('nack');
      return;
    }
    return this.#open(inbound, this.#execute);
  }

  #execute(job: Job): Promise<void> {
    const done = this.#handle(job);
    const { inbound } = job;
    return inbound.settle ? done.then(() => inbound.settle?.(job.outcome)) : done;
  }

  #turnAway(inbound: Inbound): void | Promise<void> {
    return this.#open(inbound, this.#apologize);
  }

  #apologize(job: Job): void {
    void this.#decline(job, this.#overloaded()).then(() => job.inbound.settle?.(job.outcome));
  }

  #overloaded(): CommlibError {
    return new CommlibError('OVERLOADED', `${this.address} has ${this.#maxQueued} requests waiting`);
  }

  /** Reads a request; one that cannot be answered, or was executed before, goes no further. */
  #open(inbound: Inbound, next: (this: this, job: Job) => void | Promise<void>): void | Promise<void> {
    try {
      const payload = plainPayload(this.#host, inbound.payload);
      if (!(payload instanceof Promise)) return next.call(this, this.#reader.read(payload, inbound));
      return payload
        .then((plain) => next.call(this, this.#reader.read(plain, inbound)))
        .catch((error) => this.#refuse(inbound, error));
    } catch (error) {
      this.#refuse(inbound, error);
    }
  }

  // None of what follows throws or rejects: whatever happens to a request becomes an answer or a report.

  #handle(job: Job): Promise<void> {
    const { data, dataMissing } = job.envelope;
    if (dataMissing && this.#options.missingData !== 'empty')
      return this.#decline(job, new DecodeError('MALFORMED', 'the request has no data'));
    const raw = dataMissing ? {} : data;
    if (!this.#host.validate.inbound) return this.#run(job, raw);
    try {
      const valid = validateInbound(this.contract.request, `request on ${this.address}`, raw);
      if (!(valid instanceof Promise)) return this.#run(job, valid);
      return valid.then(
        (value) => this.#run(job, value),
        (error) => this.#decline(job, error),
      );
    } catch (error) {
      return this.#decline(job, error);
    }
  }

  #run(job: Job, data: unknown): Promise<void> {
    const host = this.#host;
    host.counters.served++;
    const request = new Request<OutputOf<R['request']>, ParametersOf<Text>>(
      data as OutputOf<R['request']>, // the schema's own output, or validation was switched off on purpose
      job.envelope.header,
      job.inbound,
      this.contract.parameters,
      this.#levels,
      host.signal,
    );
    const layers = host.middleware.serve;
    try {
      const result =
        layers.length === 0
          ? this.#handler(request.data, request)
          : runLayers(layers, { contract: this.contract, request }, async () =>
              this.#handler(request.data, request),
            );
      if (!isThenable(result)) return this.#answer(job, result);
      return Promise.resolve(result).then(
        (response) => this.#answer(job, response),
        (error) => this.#answers.failed(job, error),
      );
    } catch (error) {
      return this.#answers.failed(job, error);
    }
  }

  #answer(job: Job, response: unknown): Promise<void> {
    try {
      const checked = this.#host.validate.outbound
        ? checkOutbound(this.contract.response, `answer of ${this.address}`, response)
        : undefined;
      if (checked === undefined) return this.#answers.send(job, response);
      return checked
        .then(() => this.#answers.send(job, response))
        .catch((error) => this.#answers.broken(job, error));
    } catch (error) {
      return this.#answers.broken(job, error);
    }
  }

  /** A request that is not executed, and whose sender is told why. */
  #decline(job: Job, error: unknown): Promise<void> {
    job.outcome = 'reject';
    return this.#answers.fail(job, toWireError(this.#drop(job.inbound, error)));
  }

  #refuse(inbound: Inbound, error: unknown): void {
    this.#drop(inbound, error);
    inbound.settle?.('reject');
  }

  #drop(inbound: Inbound, error: unknown): CommlibError {
    this.#host.counters.dropped++;
    const known = CommlibError.is(error)
      ? error
      : new DecodeError('MALFORMED', 'the request could not be read', { cause: error });
    this.#host.report({ type: 'dropped', endpoint: this.address, address: inbound.address, error: known });
    return known;
  }
}
