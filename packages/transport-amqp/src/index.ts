/**
 * AMQP 0-9-1 (RabbitMQ) for commlib.
 *
 * @module
 */
export { amqp } from './amqp.js';
export type { AmqpNativeOptions } from './native.js';
export type { AmqpNames, AmqpOptions } from './options.js';
