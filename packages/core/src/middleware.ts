/** Middleware: code around every publish, receive, call and serve of a node. */
import type { RpcContract, TopicContract } from './contract.js';
import type { Message } from './endpoints/message.js';
import type { Request } from './rpc/request.js';

/** A message about to be published. `data` may be replaced. */
export interface PublishContext {
  readonly contract: TopicContract;
  readonly address: string;
  data: unknown;
}

/** A message about to reach its handler. */
export interface ReceiveContext {
  readonly contract: TopicContract;
  readonly message: Message<unknown>;
}

/** A call about to be made. `data` may be replaced. */
export interface CallContext {
  readonly contract: RpcContract;
  readonly address: string;
  data: unknown;
}

/** A request about to reach its handler. */
export interface ServeContext {
  readonly contract: RpcContract;
  readonly request: Request<unknown>;
}

/**
 * Any of four functions, each called with what happens and `next`, which does it. Not calling `next` prevents it;
 * throwing fails it as if the inner part had thrown. The first `use()`d is the outermost.
 *
 * @example
 * ```ts
 * node.use({
 *   async call(context, next) {
 *     const begun = performance.now();
 *     try {
 *       return await next();
 *     } finally {
 *       console.log(context.address, performance.now() - begun, 'ms');
 *     }
 *   },
 * });
 * ```
 */
export interface Middleware {
  publish?(context: PublishContext, next: () => Promise<void>): Promise<void>;
  receive?(context: ReceiveContext, next: () => Promise<void>): Promise<void>;
  call?(context: CallContext, next: () => Promise<unknown>): Promise<unknown>;
  serve?(context: ServeContext, next: () => Promise<unknown>): Promise<unknown>;
}

type Layer<C, R> = (context: C, next: () => Promise<R>) => Promise<R>;

/** The middleware of a node, sorted by what it wraps; empty lists cost nothing. */
export class MiddlewareStack {
  readonly publish: Layer<PublishContext, void>[] = [];
  readonly receive: Layer<ReceiveContext, void>[] = [];
  readonly call: Layer<CallContext, unknown>[] = [];
  readonly serve: Layer<ServeContext, unknown>[] = [];

  add(middleware: Middleware): void {
    if (middleware.publish) this.publish.push(middleware.publish.bind(middleware));
    if (middleware.receive) this.receive.push(middleware.receive.bind(middleware));
    if (middleware.call) this.call.push(middleware.call.bind(middleware));
    if (middleware.serve) this.serve.push(middleware.serve.bind(middleware));
  }
}

/** Runs `inner` inside the layers. */
export async function runLayers<C, R>(
  layers: readonly Layer<C, R>[],
  context: C,
  inner: () => Promise<R>,
): Promise<R> {
  const run = (i: number): Promise<R> => {
    const layer = layers[i];
    return layer ? layer(context, () => run(i + 1)) : inner();
  };
  return run(0);
}
