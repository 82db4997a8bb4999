/**
 * Messages that wait for the broker's confirmation (QoS 1 and 2): in order, within the window the broker allows, kept
 * over a reconnect. Bounded, since mqtt.js's own store is not and overwrites when its identifiers run out.
 */
import { BufferFullError, type CommlibError, ConnectionError } from '@commlib/core';
import type { IClientPublishOptions } from 'mqtt';
import type { Link } from './link.js';

interface Entry {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: IClientPublishOptions;
  /** Sent again after a loss; otherwise it fails with the link. */
  readonly keep: boolean;
  readonly resolve: () => void;
  readonly reject: (error: CommlibError) => void;
  /** How many times it was sent. */
  attempts: number;
}

/** A message that ended this many connections is not sent again: it may be what ends them (too large for the broker, say). */
const MAX_ATTEMPTS = 10;

export class Outbox {
  readonly #limit: number;
  /** Waiting, from `#head` on: an array that is cut now and then, as `shift()` is slow. */
  #waiting: Entry[] = [];
  #head = 0;
  /** Sent and unconfirmed, oldest first. */
  readonly #sent = new Set<Entry>();
  #link: Link | undefined;
  #window = 0;
  /** The link whose congestion is being waited out. */
  #congested: Link | undefined;
  #idle: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#sent.size + this.#waiting.length - this.#head;
  }

  /** Resolves when the broker has confirmed. */
  add(topic: string, payload: Uint8Array, options: IClientPublishOptions, keep: boolean): Promise<void> {
    if (this.size >= this.#limit)
      return Promise.reject(new BufferFullError('the buffer of unconfirmed messages', this.#limit));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, options, keep, resolve, reject, attempts: 0 });
      this.#pump();
    });
  }

  /** A link is ready: everything unconfirmed goes out, oldest first. */
  attach(link: Link): void {
    this.#link = link;
    this.#window = Math.min(link.limits.receiveMaximum, 65_535);
    this.#pump();
  }

  /** The link is gone: what was sent waits again, ahead of the rest; what is not kept fails. */
  detach(error: CommlibError): void {
    this.#link = undefined;
    const again: Entry[] = [];
    for (const entry of [...this.#sent, ...this.#waiting.slice(this.#head)]) {
      if (!entry.keep) entry.reject(error);
      else if (entry.attempts >= MAX_ATTEMPTS) entry.reject(unsendable(entry, error));
      else again.push(entry);
    }
    this.#sent.clear();
    this.#waiting = again;
    this.#head = 0;
    this.#reportIdle();
  }

  /** Nothing will be sent any more. */
  fail(error: CommlibError): void {
    this.#link = undefined;
    const all = [...this.#sent, ...this.#waiting.slice(this.#head)];
    this.#sent.clear();
    this.#waiting = [];
    this.#head = 0;
    for (const entry of all) entry.reject(error);
    this.#reportIdle();
  }

  /** Resolves when nothing is unconfirmed. */
  idle(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    while (this.#head < this.#waiting.length && this.#sent.size < this.#window) {
      if (link.congested) return this.#pumpLater(link);
      const entry = this.#waiting[this.#head++];
      if (entry === undefined) break;
      this.#sent.add(entry);
      entry.attempts++;
      link.sendConfirmed(entry.topic, entry.payload, entry.options, (error) =>
        this.#settle(link, entry, error),
      );
    }
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
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
      this.#congested = undefined;
      this.#pump();
    };
    link.drained().then(go, go);
  }

  #settle(link: Link, entry: Entry, error: CommlibError | undefined): void {
    if (link !== this.#link || !this.#sent.delete(entry)) return;
    if (error) entry.reject(error);
    else entry.resolve();
    this.#pump();
    this.#reportIdle();
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
