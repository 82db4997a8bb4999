/** The options only AMQP has, under the key `amqp` of core's `native`. Exported, so that users' compilers see it. */

/** `native: { amqp: { … } }` of a publisher or a single message. */
export interface AmqpNativeOptions {
  /** The broker writes the message to disk where its queue is durable. Default: with at-least-once delivery. */
  readonly persistent?: boolean | undefined;
  /** 0 to 255; matters in queues that were declared with priorities. */
  readonly priority?: number | undefined;
}

declare module '@commlib/core' {
  interface NativeOptions {
    amqp?: AmqpNativeOptions | undefined;
  }
}
