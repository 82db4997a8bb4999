/**
 * The command line tools of commlib for TypeScript. What is of use to programs: the embedded broker.
 *
 * @module
 */
export { type BrokerOptions, type EmbeddedBroker, startBroker } from './broker/embedded.js';
