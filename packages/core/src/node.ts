import { DEFAULT_MAX_PAYLOAD_BYTES, deflate } from './codec/compression.js';
import { json } from './codec/json.js';
import type { RpcContract, TopicContract } from './contract.js';
import { type CloseOptions, closeDeadline } from './endpoints/close.js';
import type { Counters, EndpointHost } from './endpoints/host.js';
import { inTime } from './endpoints/in-time.js';
import { Publisher, type PublisherOptions } from './endpoints/publisher.js';
import { type MessageHandler, Subscriber, type SubscriberOptions } from './endpoints/subscriber.js';
import { ClosedError, type CommlibError, HandlerError, StateError } from './errors.js';
import { Heartbeat } from './heartbeat.js';
import { type Middleware, MiddlewareStack } from './middleware.js';
import type { ParametersOf } from './names/parameters.js';
import type { NodeOptions, StartOptions } from './node-options.js';
import { RPCClient, type RPCClientOptions } from './rpc/client.js';
import { DEFAULT_ENVELOPE, EnvelopeWriter } from './rpc/envelope.js';
import { lostInFlight, ReplyBox } from './rpc/reply-box.js';
import { type RequestHandler, RPCService, type RPCServiceOptions } from './rpc/service.js';
import type { NodeEvent, TransportEvent, TransportStatus } from './status.js';
import type { Transport } from './transport.js';
import { milliseconds } from './util/check.js';
import { Deadlines } from './util/deadlines.js';
import { EventStream } from './util/event-stream.js';
import { getOrMake } from './util/get-or-make.js';
import { randomHex } from './util/random.js';
import { isThenable } from './util/thenable.js';
import { within } from './util/within.js';

/** How much longer than its deadline a transport may take to close before it is left alone. */
const GRACE_MS = 500;

/** Codes of what happens to an answer when the connection is gone. */
const OFFLINE: ReadonlySet<string> = new Set(['NOT_CONNECTED', 'CONNECTION_LOST', 'CLOSED']);

/** What a node keeps of its endpoints. */
interface Endpoint {
  close(options?: CloseOptions): Promise<void>;
  abandon?(error: Error): void;
}

/** An endpoint the broker has to confirm. */
interface Opening extends Endpoint {
  open(): Promise<void>;
}

/**
 * One connection with any number of endpoints.
 *
 * @example
 * ```ts
 * import { memory, Node, rpc } from '@commlib/core';
 * import * as z from 'zod';
 *
 * const add = rpc('math.add', {
 *   request: z.object({ a: z.number(), b: z.number() }),
 *   response: z.object({ sum: z.number() }),
 * });
 * const node = await new Node({ transport: memory() }).start();
 * await node.serve(add, ({ a, b }) => ({ sum: a + b }));
 * console.log(await node.client(add).call({ a: 1, b: 2 })); // { sum: 3 }
 * await node.close();
 * ```
 */
export class Node implements AsyncDisposable {
  readonly name: string;
  readonly #options: NodeOptions;
  readonly #transport: Transport;
  readonly #host: EndpointHost;
  readonly #endpoints = new Set<Endpoint>();
  readonly #boxes = new Map<string | undefined, ReplyBox>();
  readonly #events = new EventStream<NodeEvent>((dropped) => ({
    type: 'overflow',
    endpoint: 'events',
    dropped,
  }));
  readonly #abort = new AbortController();
  #heartbeat: Heartbeat | undefined;
  /** The transport is ours: it was connected by this node. */
  #started = false;
  #running = false;
  #closing: Promise<void> | undefined;

  constructor(options: NodeOptions) {
    this.name = (options.name || randomHex()).replaceAll('-', '_');
    this.#options = options;
    this.#transport = options.transport;
    const codec = options.codec ?? json();
    this.#host = {
      transport: options.transport,
      codec,
      envelopes: new EnvelopeWriter(codec, { ...DEFAULT_ENVELOPE, ...options.envelope }),
      validate: { inbound: options.validate?.inbound ?? true, outbound: options.validate?.outbound ?? true },
      middleware: new MiddlewareStack(),
      deadlines: new Deadlines(),
      counters: { published: 0, received: 0, dropped: 0, calls: 0, served: 0, lateReplies: 0 },
      maxPayloadBytes: options.maxPayloadBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
      refusals: new WeakMap(),
      compress: options.compress ? inOrder(deflate) : undefined,
      signal: this.#abort.signal,
      report: (event) => this.#report(event),
      forget: (endpoint) => this.#endpoints.delete(endpoint),
    };
  }

  /** The transport this node was given. */
  get transport(): Transport {
    return this.#transport;
  }

  get status(): TransportStatus {
    return this.#transport.status;
  }

  /** What was counted so far; a copy. */
  get counters(): Readonly<Counters> {
    return { ...this.#host.counters };
  }

  /**
   * Connects. Endpoints are made afterwards.
   *
   * @throws {@link ConnectionError} (permanent: at once), {@link TimeoutError}, {@link AbortedError}, {@link ClosedError},
   *   {@link InvalidNameError} (the heartbeat's topic), {@link StateError} when called twice, or when the transport was
   *   given to another node before. A node that failed to start is closed.
   */
  async start(options: StartOptions = {}): Promise<this> {
    if (this.#closing) throw new ClosedError(`node ${this.name}`);
    if (this.#started) throw new StateError('start() was called before');
    const timeoutMs = milliseconds(options.timeoutMs ?? 30_000, 'timeoutMs');
    try {
      if (this.#transport.status.state !== 'idle')
        throw new StateError('the transport was given to another node before: each needs its own');
      this.#started = true;
      await this.#transport.connect({
        timeoutMs,
        failFast: options.failFast ?? false,
        signal: options.signal,
        onEvent: (event) => this.#hear(event),
      });
      // Closed meanwhile: nothing may be started any more.
      if (this.#closing) throw new ClosedError(`node ${this.name}`);
      this.#running = true;
      const { heartbeat } = this.#options;
      if (heartbeat)
        this.#heartbeat = new Heartbeat(this.#host, this.name, heartbeat === true ? {} : heartbeat);
    } catch (error) {
      await this.close({ deadlineMs: 1_000 });
      throw error;
    }
    return this;
  }

  /**
   * Ends in good order: intake, running handlers, pending calls, connection. Handlers that are still running at the
   * deadline are told by their signal and no longer waited for. A second call waits for the first.
   * A handler of this very node that awaits it waits for itself, that is until the deadline: it had better not.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(closeDeadline(options));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Everything that happens on this node from now on: states, dropped messages, failed handlers, overflows. A reader that
   * lags more than 1000 events behind loses the oldest, and gets an `overflow` of the endpoint `events` in their place.
   */
  events(): AsyncIterableIterator<NodeEvent, undefined> {
    return this.#events.read();
  }

  /** Puts middleware around what endpoints do from now on. */
  use(middleware: Middleware): this {
    this.#host.middleware.add(middleware);
    return this;
  }

  /**
   * A publisher for a topic.
   *
   * @throws {@link StateError} before `start()`, {@link InvalidNameError}, {@link UnsupportedError}.
   */
  publisher<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    options: PublisherOptions<Text> & { readonly params: ParametersOf<Text> },
  ): Publisher<T, Text, false>;
  publisher<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    options?: PublisherOptions<Text>,
  ): Publisher<T, Text>;
  publisher<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    options: PublisherOptions<Text> = {},
  ): Publisher<T, Text> | Publisher<T, Text, false> {
    this.#assertRunning();
    return new Publisher<T, Text>(this.#host, topic, options);
  }

  /**
   * Subscribes, with a handler or as an async iterable. When it resolves, nothing published afterwards is missed while
   * connected; after a loss the subscription is restored before the node is ready again.
   *
   * @throws {@link StateError} before `start()`, {@link InvalidNameError}, {@link UnsupportedError}, and what the broker refuses.
   *
   * @example
   * ```ts
   * await node.subscribe(reading, ({ celsius }, { params }) => console.log(params.room, celsius));
   *
   * for await (const { data } of await node.subscribe(reading)) console.log(data.celsius);
   * ```
   */
  subscribe<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    handler: MessageHandler<T, Text>,
    options?: SubscriberOptions<Text>,
  ): Promise<Subscriber<T, Text>>;
  subscribe<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    options?: SubscriberOptions<Text>,
  ): Promise<Subscriber<T, Text>>;
  async subscribe<Text extends string, T extends TopicContract<Text>>(
    topic: T & TopicContract<Text>,
    handlerOrOptions?: MessageHandler<T, Text> | SubscriberOptions<Text>,
    options: SubscriberOptions<Text> = {},
  ): Promise<Subscriber<T, Text>> {
    this.#assertRunning();
    const [handler, subscriberOptions] =
      typeof handlerOrOptions === 'function'
        ? [handlerOrOptions, options]
        : [undefined, handlerOrOptions ?? options];
    const subscriber = new Subscriber<T, Text>(this.#host, topic, handler, subscriberOptions);
    await this.#open(subscriber, `subscription to ${subscriber.filter}`, subscriberOptions);
    return subscriber;
  }

  /**
   * Serves a procedure. When it resolves, no request sent afterwards is missed while connected.
   *
   * @throws {@link StateError} before `start()`, {@link InvalidNameError}, {@link UnsupportedError}, and what the broker refuses.
   */
  async serve<Text extends string, R extends RpcContract<Text>>(
    procedure: R & RpcContract<Text>,
    handler: RequestHandler<R, Text>,
    options: RPCServiceOptions<Text> = {},
  ): Promise<RPCService<R, Text>> {
    this.#assertRunning();
    const service = new RPCService<R, Text>(this.#host, procedure, handler, options);
    await this.#open(service, `service at ${service.address}`, options);
    return service;
  }

  /**
   * A client for a procedure. All clients of a node with one inbox prefix share one reply inbox, opened at the first call.
   *
   * @throws {@link StateError} before `start()`, {@link InvalidNameError}.
   */
  client<Text extends string, R extends RpcContract<Text>>(
    procedure: R & RpcContract<Text>,
    options: RPCClientOptions<Text> & { readonly params: ParametersOf<Text> },
  ): RPCClient<R, Text, false>;
  client<Text extends string, R extends RpcContract<Text>>(
    procedure: R & RpcContract<Text>,
    options?: RPCClientOptions<Text>,
  ): RPCClient<R, Text>;
  client<Text extends string, R extends RpcContract<Text>>(
    procedure: R & RpcContract<Text>,
    options: RPCClientOptions<Text> = {},
  ): RPCClient<R, Text> | RPCClient<R, Text, false> {
    this.#assertRunning();
    const prefix = options.inboxPrefix ?? this.#options.inboxPrefix;
    const box = getOrMake(this.#boxes, prefix, () => new ReplyBox(this.#host, prefix));
    return new RPCClient<R, Text>(this.#host, box, procedure, options);
  }

  async #open(
    endpoint: Opening,
    what: string,
    options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    this.#endpoints.add(endpoint);
    try {
      await inTime(this.#host, () => endpoint.open(), {
        timeoutMs: milliseconds(options.timeoutMs ?? 30_000, 'timeoutMs'),
        signal: options.signal,
        missing: `the broker confirmed no ${what}`,
        doing: `the ${what}`,
      });
      if (this.#closing) throw new ClosedError(`node ${this.name}`);
    } catch (error) {
      this.#endpoints.delete(endpoint);
      // The broker may still confirm: then it is closed at once.
      void endpoint.close({ deadlineMs: 0 }).catch(() => {});
      throw error;
    }
  }

  async #close(deadlineMs: number): Promise<void> {
    const begun = performance.now();
    const left = () => Math.max(0, deadlineMs - (performance.now() - begun));
    this.#running = false;
    this.#heartbeat?.stop();
    const closed = new ClosedError(`node ${this.name}`);
    // Handlers may be waiting for calls of their own, so those are failed only after the handlers are done.
    const handlersMs = left() * 0.8;
    await Promise.allSettled([...this.#endpoints].map((one) => one.close({ deadlineMs: handlersMs })));
    this.#abort.abort(closed);
    for (const box of this.#boxes.values()) box.fail(closed, true);
    try {
      // A transport keeps to the deadline. One that does not shall not keep its node.
      if (this.#started || this.#transport.status.state === 'idle')
        await within(left() + GRACE_MS, this.#transport.close({ deadlineMs: left() }));
    } finally {
      this.#host.deadlines.clear();
      this.#events.end();
    }
  }

  #hear(event: TransportEvent): void {
    if (event.type === 'dropped') {
      this.#host.counters.dropped++;
      return this.#report({
        type: 'dropped',
        endpoint: this.#transport.protocol,
        address: event.address,
        error: event.error,
      });
    }
    const { status } = event;
    if (status.state === 'reconnecting' || (status.state === 'closed' && status.error))
      this.#failCalls(status.error, status.state === 'closed');
    this.#report(event);
  }

  #failCalls(error: CommlibError | undefined, forGood: boolean): void {
    const told = forGood && error ? error : lostInFlight(error ?? new ClosedError(`node ${this.name}`));
    for (const box of this.#boxes.values()) box.fail(told, forGood);
    if (!forGood) return;
    this.#heartbeat?.stop();
    for (const endpoint of this.#endpoints) endpoint.abandon?.(told);
  }

  #report(event: NodeEvent): void {
    if (event.type === 'handler-error' && this.#options.onEvent === undefined && !this.#events.heard) {
      // A fault in the user's own code, told to nobody: the console is better than silence. Answers that a lost connection
      // takes with it are none, and may be thousands.
      if (!OFFLINE.has(event.error.code)) {
        console.error(
          `commlib: ${event.error.message} (node.events() and onEvent tell of it)`,
          event.error.cause ?? '',
        );
      }
      return;
    }
    this.#events.emit(event);
    try {
      const result: unknown = this.#options.onEvent?.(event);
      if (isThenable(result)) result.then(undefined, (error) => this.#complain(error));
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Not to `onEvent` itself: it would throw again. */
  #complain(error: unknown): void {
    const failure = new HandlerError('onEvent', error);
    this.#events.emit({ type: 'handler-error', endpoint: 'onEvent', address: this.name, error: failure });
  }

  #assertRunning(): void {
    if (this.#closing) throw new ClosedError(`node ${this.name}`);
    if (!this.#running) throw new StateError('the node is not started: call `await node.start()` first');
  }
}

/** One after the other: what is published first is sent first, however long it takes to compress. */
function inOrder<A, R>(work: (input: A) => Promise<R>): (input: A) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (input) => {
    const mine = last.then(() => work(input));
    last = mine.catch(() => {});
    return mine;
  };
}
