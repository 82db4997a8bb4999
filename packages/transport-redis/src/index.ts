/**
 * Redis for commlib: pub/sub, RPC over lists as commlib-py does it, and streams for at-least-once; on one server, behind Sentinel,
 * or on a cluster.
 *
 * @module
 */
export type { RedisNativeOptions } from './native.js';
export type { RedisClusterOptions, RedisOptions, RedisSentinelOptions } from './options.js';
export { redis } from './redis.js';
