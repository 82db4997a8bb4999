/** kafkajs is CommonJS: most of what it exports is found on its default export only. */
import kafkajs from 'kafkajs';

export const {
  AssignerProtocol,
  CompressionCodecs,
  CompressionTypes,
  Kafka,
  KafkaJSNonRetriableError,
  logLevel,
  Partitioners,
} = kafkajs;
