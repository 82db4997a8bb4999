/** Topics and their partitions as the brokers know them, made when they are missing and may be; one life of a connection long. */
import { CommlibError } from '@commlib/core';
import { isPassing, missingTopic, operationError, topicError, typeOf } from './errors.js';
import type { Link } from './link.js';
import { isInternal } from './names.js';
import type { KafkaConfig } from './options.js';
import { pause } from './pause.js';
import type { TopicMetadata } from './protocol.js';

/** Which broker leads each partition, by the partition's number. */
export type Leaders = readonly number[];

const END = -1;
const BEGINNING = -2;
/** Offsets that consumers who read committed messages may see. */
const READ_COMMITTED = 1;

/** A topic that was just made has no leaders for a moment; so has every topic after a restart of the broker. */
const PATIENCE_MS = 15_000;

export class Topics {
  readonly #link: Link;
  readonly #config: KafkaConfig;
  readonly #known = new Map<string, Leaders>();
  readonly #asked = new Map<string, Promise<Leaders | undefined>>();
  readonly #measuring = new Map<string, Promise<readonly number[]>>();
  #listing: Promise<Map<string, Leaders>> | undefined;
  /** Called for a topic this connection had not heard of. */
  onNew: ((topic: string, leaders: Leaders) => Promise<void>) | undefined;

  constructor(link: Link, config: KafkaConfig) {
    this.#link = link;
    this.#config = config;
  }

  /** What is known of it, without asking. */
  known(topic: string): Leaders | undefined {
    return this.#known.get(topic);
  }

  /** The partitions of a topic, which is made if it is missing and may be. `own`: it may, and with this configuration. */
  async need(topic: string, own?: Readonly<Record<string, string>>): Promise<Leaders> {
    // Whoever names a topic of its own has just thought of the name: asking first would be in vain.
    const known = this.#known.get(topic) ?? (own ? undefined : await this.find(topic));
    if (known) return known;
    if (!own && !this.#config.create) throw missingTopic(topic);
    await this.#create(topic, own ?? this.#config.topicConfig, own ? 1 : this.#config.partitions);
    const made = await this.find(topic, true);
    if (!made) throw missingTopic(topic);
    return made;
  }

  /** The partitions of a topic, or undefined when there is none. `expected`: it was just made, and may take a moment. */
  async find(topic: string, expected = false): Promise<Leaders | undefined> {
    const known = this.#known.get(topic);
    if (known) return known;
    let asked = this.#asked.get(topic);
    if (!asked) {
      asked = this.#ask(topic, expected).finally(() => this.#asked.delete(topic));
      this.#asked.set(topic, asked);
    } else if (expected) {
      // That question may be older than the topic.
      const leaders = await asked;
      return leaders ?? this.find(topic, true);
    }
    return asked;
  }

  /** The partitions as they are now: somebody may have added some. */
  async refresh(topic: string): Promise<Leaders | undefined> {
    const leaders = await this.#ask(topic, false);
    if (!leaders) this.#known.delete(topic);
    return leaders;
  }

  /** Its leaders changed, or it was deleted. */
  forget(topic: string): void {
    this.#known.delete(topic);
  }

  /** Every topic but Kafka's own; those who ask in the same turn share the answer. */
  list(): Promise<Map<string, Leaders>> {
    this.#listing ??= Promise.resolve().then(() => {
      this.#listing = undefined;
      return this.#list();
    });
    return this.#listing;
  }

  async #list(): Promise<Map<string, Leaders>> {
    const broker = await this.#link.anyBroker();
    const found = new Map<string, Leaders>();
    for (const metadata of (await broker.metadata([])).topicMetadata) {
      if (metadata.isInternal === true || isInternal(metadata.topic)) continue;
      const leaders = leadersOf(metadata);
      if (!leaders) continue;
      found.set(metadata.topic, leaders);
      if (!this.#known.has(metadata.topic)) this.#known.set(metadata.topic, leaders);
    }
    return found;
  }

  /** Where each partition ends now; those who ask at the same time share the answer. */
  ends(topic: string, leaders: Leaders): Promise<readonly number[]> {
    const running = this.#measuring.get(topic);
    if (running) return running;
    // One turn later, so that all subscriptions of this turn are before the measurement.
    const measuring = Promise.resolve().then(() => {
      this.#measuring.delete(topic);
      return this.offsets(topic, leaders, END);
    });
    this.#measuring.set(topic, measuring);
    return measuring;
  }

  beginnings(topic: string, leaders: Leaders): Promise<readonly number[]> {
    return this.offsets(topic, leaders, BEGINNING);
  }

  async offsets(topic: string, leaders: Leaders, timestamp: number): Promise<readonly number[]> {
    const offsets: number[] = [];
    const nodes = new Set(leaders);
    await Promise.all(
      [...nodes].map(async (node) => {
        const partitions = leaders.flatMap((leader, partition) =>
          leader === node ? [{ partition, timestamp }] : [],
        );
        const { responses } = await this.#again(topic, async () =>
          (await this.#link.broker(node)).listOffsets({
            replicaId: -1,
            isolationLevel: READ_COMMITTED,
            topics: [{ topic, partitions }],
          }),
        );
        for (const one of responses[0]?.partitions ?? []) offsets[one.partition] = Number(one.offset);
      }),
    );
    return offsets;
  }

  async delete(topics: readonly string[]): Promise<void> {
    for (const topic of topics) this.#known.delete(topic);
    const controller = await this.#link.controller();
    await controller.deleteTopics({ topics, timeout: this.#config.requestTimeoutMs });
  }

  async #ask(topic: string, expected: boolean): Promise<Leaders | undefined> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      this.#link.throwIfEnded();
      try {
        const broker = await this.#link.anyBroker();
        const { topicMetadata } = await broker.metadata([topic]);
        const metadata = topicMetadata.find((one) => one.topic === topic);
        const leaders = metadata && leadersOf(metadata);
        if (leaders) {
          this.#known.set(topic, leaders);
          await this.onNew?.(topic, leaders);
          return leaders;
        }
      } catch (error) {
        const missing = typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION';
        if (missing && !expected) return undefined;
        if (!missing && !isPassing(error)) throw this.#operationFailed(error, `the topic ${topic}`);
        if (performance.now() > end) throw operationError(error, `the topic ${topic}`);
      }
      await pause(20);
    }
  }

  async #create(
    topic: string,
    config: Readonly<Record<string, string>>,
    numPartitions: number,
  ): Promise<void> {
    const { replicationFactor, requestTimeoutMs } = this.#config;
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    try {
      await this.#again(topic, async () =>
        (await this.#link.controller()).createTopics({
          topics: [{ topic, numPartitions, replicationFactor, configEntries }],
          timeout: requestTimeoutMs,
        }),
      );
    } catch (error) {
      if (typeOf(error) === 'TOPIC_ALREADY_EXISTS') return;
      throw CommlibError.is(error) ? error : topicError(error, topic);
    }
  }

  /** Tries again what fresh leaders may mend. */
  async #again<T>(topic: string, work: () => Promise<T>): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      this.#link.throwIfEnded();
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error) || performance.now() > end)
          throw this.#operationFailed(error, `the topic ${topic}`);
      }
      await pause(50);
    }
  }

  #operationFailed(error: unknown, what: string): unknown {
    const known = this.#link.failed(error);
    if (!this.#link.alive) return known;
    // Which one it is, is for the caller to say.
    return typeOf(error) === undefined ? operationError(error, what) : error;
  }
}

/** Undefined while a partition has no leader. */
function leadersOf(metadata: TopicMetadata): Leaders | undefined {
  const leaders: number[] = [];
  for (const { partitionId, leader } of metadata.partitionMetadata) {
    if (leader < 0) return undefined;
    leaders[partitionId] = leader;
  }
  return leaders.length === 0 ? undefined : leaders;
}
