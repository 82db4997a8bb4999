/** Contracts: what a topic or an RPC is called, what travels on it, and how hard it is delivered. Both ends are typed by them. */
import { InvalidNameError } from './errors.js';
import { checkAddress, checkFilter, isPattern, type Name, type NameInput, toName } from './names/name.js';
import { parameterLevels } from './names/parameters.js';
import type { InputOf, OutputOf, Schema } from './schema.js';
import type { Delivery } from './transport.js';

/** What a topic promises, beyond its schema. */
export interface TopicOptions {
  /** Default `at-most-once`, as commlib-py publishes. At-least-once subscriptions must name a durable `group`. */
  readonly delivery?: Delivery | undefined;
}

/** A topic: one name (or pattern) and the schema of its messages. */
export interface TopicContract<Text extends string = string, S extends Schema = Schema> {
  readonly kind: 'topic';
  readonly name: Name<Text>;
  readonly schema: S;
  readonly delivery: Delivery;
  /** @internal */
  readonly parameters: ReadonlyMap<string, number>;
}

/** A procedure: one name, the schemas of request and response. */
export interface RpcContract<
  Text extends string = string,
  Req extends Schema = Schema,
  Res extends Schema = Schema,
> {
  readonly kind: 'rpc';
  readonly name: Name<Text>;
  readonly request: Req;
  readonly response: Res;
  /** @internal */
  readonly parameters: ReadonlyMap<string, number>;
}

/** What is given to `publish` for a topic. */
export type TopicInput<T extends TopicContract> = InputOf<T['schema']>;
/** What handlers of a topic get. */
export type TopicOutput<T extends TopicContract> = OutputOf<T['schema']>;

/**
 * A topic.
 *
 * @param name Levels separated by `.` or `/`; `{id}` is a named parameter; `+` and `#` are wildcards (a topic with
 *   wildcards can only be subscribed to); {@link literal} keeps dots as data.
 * @param schema Any Standard Schema. Its input is what is published, its output what handlers see.
 * @throws {@link InvalidNameError}
 *
 * @example
 * ```ts
 * import { topic } from '@commlib/core';
 * import * as z from 'zod';
 *
 * const reading = topic('sensors/{room}/temperature', z.object({ celsius: z.number() }));
 * ```
 */
export function topic<const Text extends string, S extends Schema>(
  name: NameInput<Text>,
  schema: S,
  options: TopicOptions = {},
): TopicContract<Text, S> {
  const parsed = toName(name);
  checkFilter(parsed);
  return {
    kind: 'topic',
    name: parsed,
    schema,
    delivery: options.delivery ?? 'at-most-once',
    parameters: parameterLevels(parsed),
  };
}

/**
 * A procedure.
 *
 * @param name As for {@link topic}, without wildcards.
 * @throws {@link InvalidNameError}
 *
 * @example
 * ```ts
 * import { rpc } from '@commlib/core';
 * import * as z from 'zod';
 *
 * const add = rpc('math.add', {
 *   request: z.object({ a: z.number(), b: z.number() }),
 *   response: z.object({ sum: z.number() }),
 * });
 * ```
 */
export function rpc<const Text extends string, Req extends Schema, Res extends Schema>(
  name: NameInput<Text>,
  schemas: { readonly request: Req; readonly response: Res },
): RpcContract<Text, Req, Res> {
  const parsed = toName(name);
  checkAddress(parsed);
  return {
    kind: 'rpc',
    name: parsed,
    request: schemas.request,
    response: schemas.response,
    parameters: parameterLevels(parsed),
  };
}

/** Throws when a topic cannot be published to. */
export function assertPublishable(contract: TopicContract): void {
  if (isPattern(contract.name))
    throw new InvalidNameError(contract.name.text, 'a topic with wildcards cannot be published to');
}

/** Accepts anything and validates nothing: for data whose shape is not known. */
export const anything: Schema<unknown, unknown> = {
  '~standard': { version: 1, vendor: 'commlib', validate: (value) => ({ value }) },
};
