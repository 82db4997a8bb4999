/** The options only Kafka has, under the key `kafka` of core's `native`. Exported, so that users' compilers see it. */

/** `native: { kafka: { … } }` of a publisher, a subscription, a service, a client or a single message. */
export interface KafkaNativeOptions {
  /** A message goes to this partition, whatever its key. */
  readonly partition?: number | undefined;
  /** A subscription with a group: the consumer group's id at the broker. Default: `<group>:<topic or pattern>`. */
  readonly groupId?: string | undefined;
}

declare module '@commlib/core' {
  interface NativeOptions {
    kafka?: KafkaNativeOptions | undefined;
  }
}
