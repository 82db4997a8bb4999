/** Somebody with access to the broker and mqtt.js, who means no good. */
import { connectAsync, type IClientPublishOptions, type MqttClient } from 'mqtt';

/** A message the attacker has seen. */
export interface Seen {
  readonly topic: string;
  readonly payload: string;
  readonly correlationData: Buffer | undefined;
}

/** A raw connection that hears everything its broker lets it hear. */
export class Attacker implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #client: MqttClient;
  #qos: 0 | 1 | 2 = 0;

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload, { properties }) => {
      const { correlationData } = properties ?? {};
      this.seen.push({ topic, payload: payload.toString('utf8'), correlationData });
    });
  }

  static async at(url: string): Promise<Attacker> {
    const client = await connectAsync(url, { protocolVersion: 5 });
    await client.subscribeAsync('hbot/#', { qos: 0 });
    return new Attacker(client);
  }

  /** Resolves when the broker has it (with QoS 0: when it was sent). Unsaid, the QoS is 0, 1 and 2 in turn. */
  async send(topic: string, payload: Uint8Array, options: IClientPublishOptions = {}): Promise<void> {
    this.#qos = this.#qos === 2 ? 0 : this.#qos === 0 ? 1 : 2;
    await this.#client.publishAsync(topic, Buffer.from(payload), { qos: this.#qos, ...options });
  }

  /** What came on a topic so far. */
  on(topic: string): Seen[] {
    return this.seen.filter((message) => message.topic === topic);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}
