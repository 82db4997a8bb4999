/**
 * The core of commlib for TypeScript: contracts, endpoints, codecs, errors and the in-memory transport.
 *
 * @module
 */
export * from './capabilities.js';
export type { Codec } from './codec/codec.js';
export { json } from './codec/json.js';
export { type StrictJsonOptions, strictJson } from './codec/strict.js';
export {
  anything,
  type RpcContract,
  rpc,
  type TopicContract,
  type TopicInput,
  type TopicOptions,
  type TopicOutput,
  topic,
} from './contract.js';
export type { CloseOptions } from './endpoints/close.js';
export type { BurialOptions, RetryOptions } from './endpoints/delivery.js';
export type { Counters } from './endpoints/host.js';
export type { Message } from './endpoints/message.js';
export type { PublishArguments, Publisher, PublisherOptions, PublishOptions } from './endpoints/publisher.js';
export type { MessageHandler, Subscriber, SubscriberOptions } from './endpoints/subscriber.js';
export * from './errors.js';
export type { HeartbeatOptions } from './heartbeat.js';
export { MemoryBroker } from './memory/broker.js';
export { type MemoryOptions, memory } from './memory/memory.js';
export type { CallContext, Middleware, PublishContext, ReceiveContext, ServeContext } from './middleware.js';
export { FilterTree, matches } from './names/matcher.js';
export {
  checkAddress,
  checkFilter,
  commlibPattern,
  isPattern,
  levelsOf,
  literal,
  type Name,
  type NameInput,
  type NameKind,
  toName,
} from './names/name.js';
export type { AnyParameters, HasParameters, ParametersOf, WithParameters } from './names/parameters.js';
export { Node } from './node.js';
export type { NodeOptions, StartOptions } from './node-options.js';
export type { CallArguments, CallOptions, RPCClient, RPCClientOptions } from './rpc/client.js';
export type { EnvelopeOptions } from './rpc/envelope.js';
export type { Request } from './rpc/request.js';
export type { RequestHandler, RPCService, RPCServiceOptions } from './rpc/service.js';
export type { InputOf, OutputOf, Schema } from './schema.js';
export type { NodeEvent, TransportEvent, TransportStatus } from './status.js';
export { type Backoff, DEFAULT_BACKOFF, Supervisor, type SupervisorOptions } from './supervisor.js';
export * from './toolkit/index.js';
export type * from './transport.js';
