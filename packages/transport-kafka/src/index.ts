/**
 * Apache Kafka for commlib.
 *
 * @module
 */
export { kafka } from './kafka.js';
export type { KafkaNativeOptions } from './native.js';
export type {
  KafkaAddress,
  KafkaCodec,
  KafkaCompression,
  KafkaOptions,
  KafkaSaslMechanism,
  KafkaSaslOptions,
  KafkaTopicOptions,
} from './options.js';
