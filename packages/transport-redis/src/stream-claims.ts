/**
 * What a group has handed out and nobody has acknowledged (Redis: its pending entries), as one member sees it while one link
 * lasts. Entries that are worked on here stay ours, those from before a loss and those that others abandoned become ours, and
 * what is left at the end is given back.
 */
import { timerMs } from '@commlib/core';
import { isMissingStream } from './errors.js';
import type { Link } from './link.js';
import { type PendingEntry, readEntries, readPending, type StreamEntry } from './stream-entries.js';

const MOST_AT_ONCE = 256;
/** Consumers of this library without entries that said nothing for so long are removed. */
const FORGET_IDLE_MS = 3_600_000;

/** Removes consumers that hold nothing and are long gone, in one step, so that none is removed that just began to read. */
const TIDY = `local n=0 for _,c in ipairs(redis.call('XINFO','CONSUMERS',KEYS[1],ARGV[1])) do local f={}
for i=1,#c,2 do f[c[i]]=c[i+1] end
if f.pending==0 and f.idle>tonumber(ARGV[2]) and string.sub(f.name,1,8)=='commlib-' then n=n+redis.call('XGROUP','DELCONSUMER',KEYS[1],ARGV[1],f.name) end
end return n`;

/** What is given back looks as if it had been abandoned for a day. */
const GIVEN_BACK_MS = 86_400_000;

/** What the claims are made with. */
export interface StreamClaimsOptions {
  readonly key: string;
  readonly group: string;
  readonly consumer: string;
  readonly claimIdleMs: number;
  /** Entries here that are not settled: whether a handler has seen them. */
  readonly held: ReadonlyMap<string, { readonly delivered: boolean }>;
  /** How many more entries there is room for. */
  readonly room: () => number;
  /** An entry became ours; this is which delivery of it. */
  readonly onEntry: (entry: StreamEntry, attempt: number) => void;
  /** What was held from before the loss is here. */
  readonly onRecovered: () => void;
  readonly onRefused: (error: unknown) => void;
}

export class StreamClaims {
  readonly #link: Link;
  readonly #options: StreamClaimsOptions;
  /** Where the reading of what this consumer holds from before a loss goes on; undefined: done. */
  #cursor: string | undefined;
  #reading = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #detached = false;

  constructor(link: Link, options: StreamClaimsOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** After a loss, this consumer holds entries already. */
  start(afterLoss: boolean): void {
    const { key, group, claimIdleMs } = this.#options;
    if (afterLoss) {
      this.#cursor = '-';
      void this.recover();
    }
    this.#link.commands(key).send('eval', [TIDY, 1, key, group, FORGET_IDLE_MS], ignore, ignore);
    this.#timer = setInterval(() => this.#tend(), Math.max(1, timerMs(claimIdleMs / 3)));
    void this.#claim();
  }

  /** Begins no more claims; what is being claimed still comes. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** The link is gone, and what is being claimed with it. */
  detach(): void {
    this.stop();
    this.#detached = true;
    this.#cursor = undefined;
  }

  /** There is more to {@link recover}: new entries have to wait. */
  get recovering(): boolean {
    return this.#cursor !== undefined;
  }

  /** What this consumer holds from before the loss, as far as there is room. */
  async recover(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const { key, group, consumer, room, onRecovered } = this.#options;
    try {
      while (this.#cursor !== undefined && room() > 0) {
        const from = this.#cursor;
        const count = Math.min(MOST_AT_ONCE, room());
        const list = await this.#link.commands(key).call('xpending', key, group, from, '+', count, consumer);
        const pending = readPending(list);
        if (this.#detached) return;
        const last = pending.at(-1);
        this.#cursor = last && `(${last.id}`;
        await this.#claimSome(pending, 0);
      }
    } catch (error) {
      this.#cursor = undefined;
      this.#refused(error);
    } finally {
      this.#reading = false;
    }
    if (!this.#detached && this.#cursor === undefined) onRecovered();
  }

  /** An entry, by a handler here: the server's count goes with it, so that it survives this process. */
  deliveredAgain(id: string, attempt: number): void {
    if (!this.#link.alive) return;
    const { key, group, consumer } = this.#options;
    this.#link
      .commands(key)
      .send('xclaim', [key, group, consumer, 0, id, 'RETRYCOUNT', attempt, 'JUSTID'], ignore, ignore);
  }

  /** As if they had been abandoned long ago; what no handler has seen counts as never delivered. */
  giveBack(ids: readonly string[]): void {
    const { key, group, consumer, held } = this.#options;
    for (const delivered of [true, false]) {
      const some = ids.filter((id) => held.get(id)?.delivered === delivered);
      if (some.length === 0 || !this.#link.alive) continue;
      const count = delivered ? [] : ['RETRYCOUNT', 0];
      const args = [key, group, consumer, 0, ...some, 'IDLE', GIVEN_BACK_MS, ...count, 'JUSTID'];
      this.#link.commands(key).send('xclaim', args, ignore, ignore);
    }
  }

  /** Three times within the idle time: what is worked on stays ours, what others abandoned becomes ours. */
  #tend(): void {
    if (!this.#link.alive) return;
    const { key, group, consumer, held } = this.#options;
    const ids = [...held.keys()];
    for (let i = 0; i < ids.length; i += MOST_AT_ONCE) {
      const some = ids.slice(i, i + MOST_AT_ONCE);
      this.#link.commands(key).send('xclaim', [key, group, consumer, 0, ...some, 'JUSTID'], ignore, ignore);
    }
    void this.#claim();
  }

  /**
   * What other members have held without a sign of life for the idle time, and what was given back. What else is with this
   * consumer and not known here is on its way to us, or its acknowledgement to the server.
   */
  async #claim(): Promise<void> {
    const { key, group, consumer, claimIdleMs, room } = this.#options;
    const count = Math.min(MOST_AT_ONCE, room());
    if (count === 0) return;
    try {
      const list = await this.#link
        .commands(key)
        .call('xpending', key, group, 'IDLE', claimIdleMs, '-', '+', count);
      if (this.#detached) return;
      const abandoned = readPending(list).filter(
        (one) => one.consumer !== consumer || one.idleMs >= GIVEN_BACK_MS,
      );
      await this.#claimSome(abandoned, claimIdleMs);
    } catch (error) {
      this.#refused(error);
    }
  }

  async #claimSome(pending: readonly PendingEntry[], idleMs: number): Promise<void> {
    const { key, group, consumer, held, onEntry } = this.#options;
    const deliveries = new Map(
      pending.filter(({ id }) => !held.has(id)).map((one) => [one.id, one.deliveries]),
    );
    if (deliveries.size === 0) return;
    // Another member may be faster: only what is still idle is handed over.
    const reply = await this.#link
      .commands(key)
      .call('xclaim', key, group, consumer, idleMs, ...deliveries.keys());
    if (this.#detached) return;
    for (const entry of readEntries(reply)) onEntry(entry, (deliveries.get(entry.id) ?? 0) + 1);
  }

  #refused(error: unknown): void {
    if (this.#link.alive && !this.#detached && !isMissingStream(error)) this.#options.onRefused(error);
  }
}

function ignore(): void {}
