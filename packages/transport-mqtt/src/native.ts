/** The options only MQTT has, under the key `mqtt` of core's `native`. Exported, so that users' compilers see it. */

/** `native: { mqtt: { … } }` of a publisher, a subscription, a service, a client or a single message. */
export interface MqttNativeOptions {
  /**
   * Quality of service: 0 at most once, 1 at least once, 2 exactly once on each of the two ways (not over a reconnect).
   * Default: what the delivery asks for; 1 for requests and answers.
   */
  readonly qos?: 0 | 1 | 2 | undefined;
  /**
   * `false`: an at-least-once subscription is a plain one, not `$share/<group>/…`, so that each member of the group gets every
   * message. For groups of one member on a broker that does not remember shared subscriptions: Mosquitto 2.0.11, restarted,
   * loses what is sent to them until the member is back, although it has confirmed it. Default `true`, where the broker can share.
   */
  readonly shared?: boolean | undefined;
}

declare module '@commlib/core' {
  interface NativeOptions {
    mqtt?: MqttNativeOptions | undefined;
  }
}
