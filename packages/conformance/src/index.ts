/**
 * The test kit that proves a commlib transport.
 *
 * @module
 */
export {};
