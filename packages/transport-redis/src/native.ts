/** The options only Redis has, under the key `redis` of core's `native`. Exported, so that users' compilers see it. */

/** `native: { redis: { … } }` of a publisher or a single message. */
export interface RedisNativeOptions {
  /** At least once: entries the stream keeps, more or less (`MAXLEN ~`). Default: the transport's `maxLength`. */
  readonly maxLength?: number | undefined;
}

declare module '@commlib/core' {
  interface NativeOptions {
    redis?: RedisNativeOptions | undefined;
  }
}
