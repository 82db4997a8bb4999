/**
 * The core of commlib for TypeScript: contracts, endpoints, codecs, errors and the in-memory transport.
 *
 * @module
 */
export * from './capabilities.js';
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
export * from './errors.js';
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
export type { AnyParameters, HasParameters, ParametersOf } from './names/parameters.js';
export type { InputOf, OutputOf, Schema } from './schema.js';
export type { NodeEvent, TransportEvent, TransportStatus } from './status.js';
export { type Backoff, DEFAULT_BACKOFF, Supervisor, type SupervisorOptions } from './supervisor.js';
export type * from './transport.js';
