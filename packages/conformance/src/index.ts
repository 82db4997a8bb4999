/**
 * The test kit that proves a commlib transport: every promise of the contract, with the runner of your choice.
 *
 * @module
 */
export type { TestBench, TransportRequest } from './bench.js';
export { PropertyError } from './check.js';
export {
  type ConformanceOptions,
  describeTransport,
  type Outcome,
  type Result,
} from './describe-transport.js';
export { propertyIds } from './properties/index.js';
export type { Runner, RunnerOptions } from './runner.js';
