/** What is published, requested and answered, over whichever link is there. */
import {
  AbortedError,
  abortable,
  BufferFullError,
  type CommlibError,
  Outbox,
  type ReplyTarget,
  type SendOptions,
  type TransportEvent,
  UnsupportedError,
} from '@commlib/core';
import { KAFKA_CAPABILITIES } from './capabilities.js';
import { Lane } from './lane.js';
import type { Link } from './link.js';
import { checkTopic, replyTopic } from './names.js';
import type { KafkaConfig } from './options.js';
import type { Outgoing } from './partition-queue.js';
import { toRecord } from './record.js';
import { Sequences } from './sequences.js';
import type { Topics } from './topics.js';

/** Why nothing can be sent now, and whether it can later. */
export interface Offline {
  readonly error: CommlibError;
  readonly later: boolean;
}

export class Sender {
  readonly #config: KafkaConfig;
  readonly #offline: () => Offline;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #outbox: Outbox<Outgoing>;
  readonly #sequences = new Sequences();
  /** At-most-once messages, requests and answers, while the link is ready. */
  #lane: Lane | undefined;
  #unsent = 0;
  #idle: (() => void)[] = [];
  #stopped = false;

  constructor(config: KafkaConfig, offline: () => Offline, onEvent: (event: TransportEvent) => void) {
    this.#config = config;
    this.#offline = offline;
    this.#onEvent = onEvent;
    this.#outbox = new Outbox({
      limit: config.maxBuffered,
      describe: ({ topic }) => `message to ${topic}`,
    });
  }

  // Not `async`: every message comes this way, and each promise more is felt.

  publish(address: string, payload: Uint8Array, options: SendOptions = {}): Promise<void> {
    try {
      const { delivery, signal } = options;
      const out = outgoing(address, payload, options);
      if (signal?.aborted) throw new AbortedError(`publishing to ${address}`, signal.reason);
      if (delivery !== 'at-least-once') return abortable(this.#hand(out), signal, `publishing to ${address}`);
      if (this.#stopped || (!this.#lane && !this.#offline().later)) throw this.#offline().error;
      return abortable(this.#outbox.add(out, true), signal, `publishing to ${address}`);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  request(address: string, payload: Uint8Array, options: SendOptions = {}): Promise<void> {
    try {
      return this.#hand(outgoing(address, payload, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** To a topic that is there: the caller's own. It is not made, or answers to callers that left would leave topics behind. */
  respond(target: ReplyTarget, payload: Uint8Array): Promise<void> {
    try {
      return this.#hand({ topic: replyTopic(target.replyTo), record: toRecord(payload), existing: true });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  attach(link: Link, topics: Topics): void {
    const { acks, maxBuffered } = this.#config;
    const common = { link, topics, config: this.#config };
    this.#lane = new Lane({ ...common, acks });
    const safe = new Lane({ ...common, acks: -1, sequences: this.#sequences });
    this.#outbox.attach({ window: maxBuffered, send: (out, confirm) => safe.push(out, confirm) });
  }

  detach(error: CommlibError): void {
    const lane = this.#lane;
    this.#lane = undefined;
    lane?.fail(error);
    this.#outbox.detach(error);
  }

  /** Takes nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  fail(error: CommlibError): void {
    const lane = this.#lane;
    this.#lane = undefined;
    this.#stopped = true;
    lane?.fail(error);
    this.#outbox.fail(error);
  }

  /** Resolves when the broker has everything that was accepted. */
  async flushed(): Promise<void> {
    await this.#outbox.idle();
    if (this.#unsent > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Resolves when it is handed to the connection; what the broker says to it later is an event. */
  #hand(out: Outgoing): Promise<void> {
    const lane = this.#lane;
    if (this.#stopped || !lane) return Promise.reject(this.#offline().error);
    const { maxBuffered } = this.#config;
    if (this.#unsent >= maxBuffered)
      return Promise.reject(new BufferFullError('the buffer of unsent messages', maxBuffered));
    return new Promise((resolve, reject) => {
      let handed = false;
      this.#unsent++;
      lane.push(
        out,
        (error) => {
          this.#unsent--;
          if (this.#unsent === 0) for (const done of this.#idle.splice(0)) done();
          if (!error) return;
          if (!handed) reject(error);
          else if (this.#lane === lane) this.#onEvent({ type: 'dropped', address: out.topic, error });
        },
        () => {
          handed = true;
          resolve();
        },
      );
    });
  }
}

function outgoing(address: string, payload: Uint8Array, options: SendOptions): Outgoing {
  checkTopic(address);
  checkOptions(options);
  return {
    topic: address,
    record: toRecord(payload, options),
    partition: options.native?.kafka?.partition,
  };
}

/** @throws `UnsupportedError` for what a record cannot carry. */
function checkOptions(options: SendOptions): void {
  const refuse = (what: string, capability: { readonly missing?: string } | true) => {
    if (typeof capability === 'object') throw new UnsupportedError(what, capability.missing ?? '');
  };
  const { retained, mandatory } = KAFKA_CAPABILITIES;
  if (options.retain === true) refuse('the option retain', retained);
  if (options.expiresInMs !== undefined) {
    throw new UnsupportedError(
      'the option expiresInMs',
      'Kafka keeps messages by the retention of the topic',
    );
  }
  if (options.mandatory === true) refuse('the option mandatory', mandatory);
}
