/** Brokers for tests: found or started, always on the loopback address, always ended. See README.md beside this file. */
export { type Broker, BrokerUnavailable, type MqttBroker } from './broker.js';
export { describeOn } from './describe-on.js';
export { type EmbeddedOptions, startEmbedded } from './embedded.js';
export { startEmqx } from './emqx.js';
export { type BrokerName, findBroker } from './find.js';
export { type KafkaBroker, startKafka } from './kafka.js';
export type { KafkaOptions } from './kafka-config.js';
export { startMosquitto } from './mosquitto.js';
export type { MosquittoOptions } from './mosquitto-config.js';
export { startMqtt } from './mqtt.js';
export { accepts, freePort } from './ports.js';
export { type RabbitmqBroker, startRabbitmq } from './rabbitmq.js';
export type { RabbitmqOptions } from './rabbitmq-config.js';
export { type RedisServer, startRedis } from './redis.js';
export type { RedisOptions } from './redis-config.js';
export {
  type SharedKafka,
  type SharedRabbitmq,
  type SharedRedis,
  sharedKafka,
  sharedRabbitmq,
  sharedRedis,
} from './shared.js';
export { type Certificates, makeCertificates } from './tls.js';
export { until } from './until.js';
