/**
 * Redis for commlib.
 *
 * @module
 */
export {};
