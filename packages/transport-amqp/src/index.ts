/**
 * AMQP 0-9-1 (RabbitMQ) for commlib.
 *
 * @module
 */
export {};
