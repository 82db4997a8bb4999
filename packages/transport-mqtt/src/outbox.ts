/**
 * Messages that wait for the broker's confirmation (QoS 1 and 2): in order, within the window the broker allows, kept
 * over a reconnect. Bounded, since mqtt.js's own store is not and overwrites when its identifiers run out.
 */
import { BufferFullError, type CommlibError, ConnectionError } from '@commlib/core';
import type { IClientPublishOptions } from 'mqtt';
import type { Confirmable, Link } from './link.js';

/** A message that ended this many connections is not sent again: it may be what ends them (too large for the broker, say). */
const MAX_ATTEMPTS = 10;
/**
 * MQTT 3.1.1 has no window for QoS 2, and yet a Mosquitto with its defaults ends the connection at the 21st message under
 * way (`max_inflight_messages`).
 */
const QOS2_WINDOW_OF_3 = 10;
/** Identifiers are shared with SUBSCRIBE and UNSUBSCRIBE: some are left to them. */
const MAX_WINDOW = 65_000;

class Entry implements Confirmable {
  readonly outbox: Outbox;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: IClientPublishOptions;
  /** Sent again after a loss; otherwise it fails with the link. */
  readonly keep: boolean;
  /** How many times it was sent. */
  attempts = 0;
  resolve: () => void = () => {};
  reject: (error: CommlibError) => void = () => {};

  constructor(
    outbox: Outbox,
    topic: string,
    payload: Uint8Array,
    options: IClientPublishOptions,
    keep: boolean,
  ) {
    this.outbox = outbox;
    this.topic = topic;
    this.payload = payload;
    this.options = options;
    this.keep = keep;
  }

  confirmed(link: Link, error: CommlibError | undefined): void {
    this.outbox.confirmed(link, this, error);
  }
}

export class Outbox {
  readonly #limit: number;
  /** Waiting, from `#head` on: an array that is cut now and then, as `shift()` is slow. */
  #waiting: Entry[] = [];
  #head = 0;
  /** Sent and unconfirmed, oldest first. */
  readonly #sent = new Set<Entry>();
  #link: Link | undefined;
  #window = 0;
  #qos2Window = 0;
  #qos2Sent = 0;
  #pumpScheduled = false;
  /** The link whose congestion is being waited out. */
  #congested: Link | undefined;
  #idle: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many messages are unconfirmed. */
  get size(): number {
    return this.#sent.size + this.#waiting.length - this.#head;
  }

  /** Resolves when the broker has confirmed. */
  add(topic: string, payload: Uint8Array, options: IClientPublishOptions, keep: boolean): Promise<void> {
    if (this.size >= this.#limit) {
      return Promise.reject(new BufferFullError('the buffer of unconfirmed messages', this.#limit));
    }
    const entry = new Entry(this, topic, payload, options, keep);
    return new Promise((resolve, reject) => {
      entry.resolve = resolve;
      entry.reject = reject;
      this.#waiting.push(entry);
      this.#pump();
    });
  }

  /** A link is ready: everything unconfirmed goes out, oldest first. */
  attach(link: Link): void {
    this.#link = link;
    this.#window = Math.min(link.limits.receiveMaximum, MAX_WINDOW);
    this.#qos2Window = link.version === 5 ? this.#window : QOS2_WINDOW_OF_3;
    this.#pump();
  }

  /** The link is gone: what was sent waits again, ahead of the rest; what is not kept fails. */
  detach(error: CommlibError): void {
    const again: Entry[] = [];
    for (const entry of this.#takeAll()) {
      if (!entry.keep) entry.reject(error);
      else if (entry.attempts >= MAX_ATTEMPTS) entry.reject(unsendable(entry, error));
      else again.push(entry);
    }
    this.#waiting = again;
    this.#reportIdle();
  }

  /** Nothing will be sent any more. */
  fail(error: CommlibError): void {
    for (const entry of this.#takeAll()) entry.reject(error);
    this.#reportIdle();
  }

  /** Resolves when nothing is unconfirmed. */
  idle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** @internal */
  confirmed(link: Link, entry: Entry, error: CommlibError | undefined): void {
    if (link !== this.#link || !this.#sent.delete(entry)) return;
    if (entry.options.qos === 2) this.#qos2Sent--;
    if (error) entry.reject(error);
    else entry.resolve();
    this.#reportIdle();
    // One chunk from the broker may hold many confirmations: the messages they make room for go out in one piece too.
    if (this.#pumpScheduled || this.#head === this.#waiting.length) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #takeAll(): Entry[] {
    const all = [...this.#sent, ...this.#waiting.slice(this.#head)];
    this.#link = undefined;
    this.#sent.clear();
    this.#qos2Sent = 0;
    this.#waiting = [];
    this.#head = 0;
    return all;
  }

  #pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    while (this.#head < this.#waiting.length && this.#sent.size < this.#window) {
      if (link.congested) return this.#pumpLater(link);
      const entry = this.#waiting[this.#head];
      if (entry === undefined) break;
      if (entry.options.qos === 2) {
        if (this.#qos2Sent >= this.#qos2Window) break;
        this.#qos2Sent++;
      }
      this.#head++;
      this.#sent.add(entry);
      entry.attempts++;
      link.sendConfirmed(entry);
    }
    if (this.#head === this.#waiting.length) {
      if (this.#head > 0) this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #pumpLater(link: Link): void {
    if (this.#congested === link) return;
    this.#congested = link;
    const go = () => {
      if (this.#congested === link) this.#congested = undefined;
      this.#pump();
    };
    link.drained().then(go, go);
  }

  #reportIdle(): void {
    if (this.#idle.length === 0 || this.size > 0) return;
    for (const done of this.#idle.splice(0)) done();
  }
}

function unsendable(entry: Entry, cause: CommlibError): ConnectionError {
  return new ConnectionError(
    'CONNECTION_LOST',
    `a message to ${entry.topic} was sent ${entry.attempts} times, and each time the connection was lost before its confirmation`,
    { cause },
  );
}
