/**
 * Apache Kafka for commlib.
 *
 * @module
 */
export {};
