/**
 * The reply inbox. Answers of our own services come to one list per inbox, each with the number of its call in front; a
 * commlib-py service answers to the list named in the request, one per call. All of them are read by one waiting read.
 *
 * Which of the two a service does is seen from its first answer. To a service that is known to be ours, only calls that are not
 * answered soon have their own list watched too, since a Python service may stand beside it.
 */
import { type Inbound, type Inbox, type ReplyTarget, randomHex } from '@commlib/core';
import type { ListReaders, ListSource } from './list-readers.js';
import type { Pusher } from './pusher.js';

/** A call to a service of ours that waits longer than this has its own list watched too. */
const PATIENCE_MS = 250;
/** Answers to calls that were given up are still collected, so that they do not stay in Redis for ever. */
const LATE_MS = 60_000;
const MOST_LATE = 1_000;
/** Services whose kind is remembered. */
const MOST_KNOWN = 10_000;
const MOST_AT_ONCE = 128;
const NEWLINE = 10;

/** The address of one call: the inbox's list, and the number of the call. */
const OURS = /^(.*rpc-[0-9a-f]{32}\}?\/all)\/(\d{1,15})$/s;

/** Where a service of ours sends its answer, and what it writes in front of it. */
export function ownInbox(replyTo: string): { readonly list: string; readonly head: string } | undefined {
  const match = OURS.exec(replyTo);
  return match?.[1] === undefined ? undefined : { list: match[1], head: `${match[2]}\n` };
}

/** Where the answers go: `rpc-<32 hex digits>/all`, below the prefix if there is one. On a cluster all of it in one slot. */
export function inboxBase(prefix: string | undefined, cluster: boolean): string {
  const own = cluster ? `{rpc-${randomHex()}}/all` : `rpc-${randomHex()}/all`;
  if (prefix === undefined || prefix === '') return own;
  return `${prefix.replace(/[./]+$/, '')}/${own}`;
}

interface Call {
  readonly replyTo: string;
  /** The service it was sent to. */
  service: string | undefined;
  sentAt: number;
  watched: boolean;
}

/** What the inbox needs of the transport. */
export interface InboxHost {
  readonly pusher: Pusher;
  readonly readers: (source: ListSource) => ListReaders;
  readonly onRefused: (address: string, error: unknown) => void;
  readonly onClose: (inbox: RedisInbox) => Promise<void>;
  readonly forget: (lists: readonly string[]) => void;
}

export class RedisInbox implements Inbox, ListSource {
  readonly base: string;
  readonly readers: ListReaders;
  readonly #host: InboxHost;
  readonly #onReply: (message: Inbound) => void;
  #calls = 0;
  /** Not answered, oldest first. */
  readonly #pending = new Map<string, Call>();
  /** Lists of single calls that are read, with the time until when; Infinity while the call waits. */
  readonly #watched = new Map<string, number>();
  readonly #late = new Set<string>();
  /** Services, by address: known to be ours, or known not to be. */
  readonly #ours = new Map<string, boolean>();
  #sweep: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(host: InboxHost, base: string, onReply: (message: Inbound) => void) {
    this.#host = host;
    this.base = base;
    this.#onReply = onReply;
    this.readers = host.readers(this);
  }

  claim(): { readonly replyTo: string; readonly correlationId: string } {
    const correlationId = String(++this.#calls);
    return { replyTo: `${this.base}/${correlationId}`, correlationId };
  }

  send(address: string, payload: Uint8Array, target: ReplyTarget): Promise<void> {
    const sent = this.#host.pusher.push(address, payload);
    const call: Call = {
      replyTo: target.replyTo,
      service: address,
      sentAt: performance.now(),
      watched: false,
    };
    this.#pending.set(target.replyTo, call);
    if (this.#ours.get(address) !== true) this.#watch(call);
    if (!this.#closed) this.#sweep ??= setInterval(() => this.#review(), PATIENCE_MS / 2);
    return sent;
  }

  release(target: ReplyTarget): void {
    const call = this.#pending.get(target.replyTo);
    if (call === undefined) return;
    this.#pending.delete(target.replyTo);
    // Given up: a service of ours lets its answer expire, a Python service does not.
    if (call.watched && this.#watched.has(call.replyTo)) this.#collectLate(call.replyTo);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#pending.clear();
    await this.#host.onClose(this);
    this.#host.forget([this.base, ...this.#watched.keys()]);
  }

  /** Nothing will come any more: it keeps no process alive. */
  end(): void {
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#pending.clear();
    this.#watched.clear();
    this.#late.clear();
  }

  /** The connection is gone, and with it the calls. */
  lost(): void {
    this.#pending.clear();
    const late = [...this.#watched.keys()].slice(0, MOST_LATE);
    this.#watched.clear();
    this.#late.clear();
    for (const list of late) this.#collectLate(list);
  }

  keys(): string[] {
    return [this.base];
  }

  wanted(keys: readonly string[]): { readonly keys: readonly string[]; readonly count: number } {
    // Nothing once it is stopped.
    return { keys: keys.length === 0 ? [] : [...keys, ...this.#watched.keys()], count: MOST_AT_ONCE };
  }

  elements(list: string, elements: readonly Buffer[]): void {
    if (list !== this.base) {
      const call = this.#pending.get(list);
      if (call?.service !== undefined) this.#learn(call.service, false);
      this.#watched.delete(list);
      this.#late.delete(list);
      for (const element of elements) this.#deliver(list, element);
      return;
    }
    for (const element of elements) {
      const end = element.indexOf(NEWLINE);
      if (end < 0 || end > 15) continue; // Nothing of ours.
      const replyTo = `${list}/${element.toString('latin1', 0, end)}`;
      const call = this.#pending.get(replyTo);
      if (call?.service !== undefined) this.#learn(call.service, true);
      this.#watched.delete(replyTo);
      this.#late.delete(replyTo);
      this.#deliver(replyTo, element.subarray(end + 1));
    }
  }

  refused(error: unknown): void {
    this.#host.onRefused(this.base, error);
  }

  #deliver(replyTo: string, payload: Buffer): void {
    if (this.#closed) return;
    const correlationId = replyTo.slice(this.base.length + 1);
    this.#onReply({ address: replyTo, payload, correlationId, retained: false });
  }

  #learn(service: string, ours: boolean): void {
    if (this.#ours.get(service) === ours) return;
    if (this.#ours.size >= MOST_KNOWN) this.#ours.clear();
    this.#ours.set(service, ours);
  }

  #watch(call: Call): void {
    call.watched = true;
    this.#watched.set(call.replyTo, Number.POSITIVE_INFINITY);
    this.readers.changed();
  }

  #collectLate(list: string): void {
    this.#watched.set(list, performance.now() + LATE_MS);
    this.#late.add(list);
    const [oldest] = this.#late;
    if (this.#late.size <= MOST_LATE || oldest === undefined) return;
    this.#late.delete(oldest);
    this.#watched.delete(oldest);
  }

  /** Now and then: calls that wait long, late answers that never came. One timer, however many calls. */
  #review(): void {
    const now = performance.now();
    let added = false;
    for (const call of this.#pending.values()) {
      if (now - call.sentAt < PATIENCE_MS) break;
      if (call.watched) continue;
      call.watched = true;
      added = true;
      this.#watched.set(call.replyTo, Number.POSITIVE_INFINITY);
    }
    for (const list of this.#late) {
      if ((this.#watched.get(list) ?? 0) > now) break;
      this.#late.delete(list);
      this.#watched.delete(list);
    }
    if (added) this.readers.changed();
    if (this.#pending.size > 0 || this.#late.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}
