/** The transport: one connection, supervised, and what goes over it. */
import {
  type Capabilities,
  type CommlibError,
  type ConnectOptions,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  type ReplyTarget,
  type SendOptions,
  type ServeOptions,
  type SubscribeOptions,
  Supervisor,
  type Transport,
  type TransportStatus,
  UnsupportedError,
  within,
} from '@commlib/core';
import { KAFKA_CAPABILITIES } from './capabilities.js';
import { registerCodecs } from './codecs.js';
import { Fetcher } from './fetcher.js';
import { Groups } from './groups.js';
import { INBOX_TOPIC_CONFIG, inboxTopic, KafkaInbox } from './inbox.js';
import { Link } from './link.js';
import { checkFilterText, checkGroup, checkTopic, kafkaNames } from './names.js';
import { type KafkaConfig, type KafkaOptions, resolveOptions } from './options.js';
import { Sender } from './sender.js';
import { type Session, Subscriptions } from './subscriptions.js';
import { Topics } from './topics.js';

/**
 * A connection to a Kafka cluster.
 *
 * @param where `kafka://` or `kafkas://` (TLS) with one or more `host:port` and optional `user:password@`; or a list of
 *   `host:port`. Default port 9092.
 * @throws `UnsupportedError` for a URL of another kind, a compression without its codec.
 * @example
 * ```ts
 * const node = new Node({ transport: kafka('kafka://localhost:9092', { topics: { partitions: 3 } }) });
 * ```
 */
export function kafka(where: string | readonly string[], options: KafkaOptions = {}): Transport {
  const config = resolveOptions(where, options);
  registerCodecs(config);
  return new KafkaTransport(config);
}

class KafkaTransport implements Transport {
  readonly protocol = 'kafka';
  readonly names = kafkaNames;
  readonly capabilities: Capabilities = KAFKA_CAPABILITIES;
  readonly #config: KafkaConfig;
  readonly #supervisor: Supervisor;
  readonly #subscriptions: Subscriptions;
  readonly #groups: Groups;
  readonly #sender: Sender;
  readonly #inboxTopics = new Set<string>();
  #session: Session | undefined;
  #link: Link | undefined;

  constructor(config: KafkaConfig) {
    this.#config = config;
    this.#supervisor = new Supervisor({
      target: config.target,
      open: (signal) => this.#open(signal),
      shutDown: (left) => this.#shutDown(left),
      onClosed: (error) => this.#closed(error),
      backoff: config.backoff,
    });
    this.#subscriptions = new Subscriptions(config.topicPollMs);
    this.#groups = new Groups(config, (event) => this.#supervisor.report(event));
    this.#sender = new Sender(
      config,
      () => ({ error: this.#supervisor.offline(), later: this.#supervisor.mayReturn }),
      (event) => this.#supervisor.report(event),
    );
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    return this.#sender.publish(address, payload, options);
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    checkFilterText(filter);
    const { delivery, group, start, maxInFlight } = options;
    this.#supervisor.throwIfEnding();
    if (delivery === 'at-most-once' && group === undefined) return this.#take(filter, start, onMessage);
    if (group === undefined)
      throw new UnsupportedError('at-least-once', 'the subscription must name its group');
    checkGroup(group);
    const groupId = options.native?.kafka?.groupId ?? `${group}:${filter}`;
    const durable = delivery === 'at-least-once';
    return this.#groups.join({ groupId, filter, durable, start, maxInFlight }, onMessage);
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const topic = inboxTopic(options.prefix);
    checkTopic(topic);
    this.#supervisor.throwIfEnding();
    this.#inboxTopics.add(topic);
    const leave = await this.#subscriptions.join({
      filter: topic,
      onMessage: onReply,
      own: INBOX_TOPIC_CONFIG,
    });
    const close = async () => {
      leave();
      if (this.#inboxTopics.delete(topic)) await this.#session?.topics.delete([topic]).catch(() => {});
    };
    return new KafkaInbox((...request) => this.#sender.request(...request), topic, close);
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    checkTopic(address);
    this.#supervisor.throwIfEnding();
    if (options.mode === 'exclusive') {
      throw new UnsupportedError(
        'exclusive services',
        'Kafka gives a request to every service, or to one of a group',
      );
    }
    if (options.mode !== 'compete') return this.#take(address, undefined, onRequest);
    const group = options.group ?? address;
    checkGroup(group);
    const groupId = options.native?.kafka?.groupId ?? `${group}:${address}`;
    const { maxInFlight } = options;
    return this.#groups.join(
      { groupId, filter: address, durable: false, start: 'new', maxInFlight },
      onRequest,
    );
  }

  respond(_request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    return this.#sender.respond(target, payload);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#supervisor.close(options);
  }

  async #open(signal: AbortSignal): Promise<void> {
    const onEnd = (ended: Link, error: CommlibError) => this.#lost(ended, error);
    const link = await Link.open(this.#config, signal, onEnd);
    this.#link = link;
    const abort = () => link.abandon(this.#supervisor.offline());
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      const topics = new Topics(link, this.#config);
      const fetcher = new Fetcher(link, topics, this.#config, undefined, (event) =>
        this.#supervisor.report(event),
      );
      const session = { link, topics, fetcher };
      await this.#subscriptions.restore(session);
      await this.#groups.restore(session);
      link.throwIfEnded();
      link.ready();
      this.#session = session;
      this.#sender.attach(link, topics);
    } catch (error) {
      const known = link.failed(error);
      this.#detach(known);
      link.abandon(known);
      throw known;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #lost(link: Link, error: CommlibError): void {
    if (link !== this.#link) return;
    this.#detach(error);
    this.#supervisor.lost(error);
  }

  #detach(error: CommlibError): void {
    this.#session?.fetcher.stop();
    this.#session = undefined;
    this.#subscriptions.detach();
    this.#groups.detach();
    this.#sender.detach(error);
  }

  async #take(
    filter: string,
    start: SubscribeOptions['start'],
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    const leave = await this.#subscriptions.join({ filter, start, onMessage });
    return { close: async () => leave() };
  }

  #closed(error: CommlibError): void {
    this.#subscriptions.fail(error);
    this.#groups.fail(error);
    this.#sender.fail(error);
    this.#link?.abandon(error);
  }

  async #shutDown(left: () => number): Promise<void> {
    const { state } = this.status;
    this.#sender.stop();
    if (state === 'ready' || state === 'reconnecting') await within(left(), this.#sender.flushed());
    const session = this.#session;
    await within(left(), this.#groups.close());
    this.#subscriptions.fail(this.#supervisor.offline());
    session?.fetcher.stop();
    if (session?.link.alive) {
      const topics = [...this.#inboxTopics];
      if (topics.length > 0) await within(left(), session.topics.delete(topics));
    }
  }
}
