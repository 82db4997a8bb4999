/**
 * One stream as one group reads it, for all its subscribers here: which entries are with them, what was settled, and what other
 * members left behind. An entry that is not acknowledged stays with the group, whatever happens to this process.
 */
import {
  type CommlibError,
  Flow,
  type Inbound,
  type Settlement,
  type Start,
  timerMs,
  UnsupportedError,
} from '@commlib/core';
import { commandError, isMissingStream, replyCode } from './errors.js';
import type { Link } from './link.js';
import { readEntries, readPending, type StreamEntry } from './stream-entries.js';

const MOST_AT_ONCE = 256;
/** Consumers of this library without entries that said nothing for so long are removed. */
const FORGET_IDLE_MS = 3_600_000;

/** Removes consumers that hold nothing and are long gone, in one step, so that none is removed that just began to read. */
const TIDY = `local n=0 for _,c in ipairs(redis.call('XINFO','CONSUMERS',KEYS[1],ARGV[1])) do local f={}
for i=1,#c,2 do f[c[i]]=c[i+1] end
if f.pending==0 and f.idle>tonumber(ARGV[2]) and string.sub(f.name,1,8)=='commlib-' then n=n+redis.call('XGROUP','DELCONSUMER',KEYS[1],ARGV[1],f.name) end
end return n`;

/** One subscriber. */
interface Member {
  readonly onMessage: (message: Inbound) => void;
  readonly maxInFlight: number;
  flow: Flow<StreamEntry> | undefined;
}

/** What a group on a stream is made with. */
export interface StreamGroupOptions {
  readonly key: string;
  readonly address: string;
  readonly group: string;
  readonly consumer: string;
  readonly start: Start | undefined;
  readonly claimIdleMs: number;
  /** There may be room again, or none any more. */
  readonly onRoom: () => void;
  readonly onRefused: (error: CommlibError) => void;
}

export class StreamGroup {
  readonly #options: StreamGroupOptions;
  readonly #members: Member[] = [];
  #link: Link | undefined;
  /** Entries here that are not settled: whether a handler has seen them. */
  readonly #held = new Map<string, { delivered: boolean }>();
  /** Settled, and about to be acknowledged. */
  #acks: string[] = [];
  #unconfirmed = 0;
  #quiet: (() => void)[] = [];
  /** Where the reading of what this consumer holds from before a loss goes on; undefined: done. */
  #cursor: string | undefined;
  #recovering = false;
  /** There was no room when the reader asked: it wants to hear when there is. */
  #full = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #established = false;

  constructor(options: StreamGroupOptions) {
    this.#options = options;
  }

  get key(): string {
    return this.#options.key;
  }

  get empty(): boolean {
    return this.#members.length === 0;
  }

  /** How many entries may be read now. */
  get room(): number {
    if (this.#cursor !== undefined) return 0;
    const free = this.#free();
    this.#full = free === 0;
    return free;
  }

  add(onMessage: (message: Inbound) => void, maxInFlight: number): { leave(): Promise<void> } {
    const member: Member = { onMessage, maxInFlight, flow: undefined };
    if (this.#link) member.flow = this.#makeFlow(member);
    this.#members.push(member);
    return { leave: () => this.#leave(member) };
  }

  /** Makes the group where there is none, and takes up what is with this consumer already. */
  async attach(link: Link): Promise<void> {
    const { key, group, start = 'new' } = this.#options;
    const connection = link.commands(key);
    // Made anew after somebody deleted it: then nothing that is in the stream was delivered.
    const from = this.#established
      ? '0'
      : start === 'new'
        ? '$'
        : start === 'earliest'
          ? '0'
          : before(start.position);
    try {
      await connection.call('xgroup', 'CREATE', key, group, from, 'MKSTREAM');
    } catch (error) {
      if (replyCode(error) !== 'BUSYGROUP')
        throw commandError(error, `group ${group} on ${this.#options.address}`);
    }
    const again = this.#established;
    this.#established = true;
    if (this.#link === link) return;
    this.#link = link;
    for (const member of this.#members) member.flow = this.#makeFlow(member);
    if (again) {
      this.#cursor = '-';
      void this.#recover(link);
    }
    connection.send('eval', [TIDY, 1, key, group, FORGET_IDLE_MS], ignore, ignore);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tend(link), Math.max(1, timerMs(this.#options.claimIdleMs / 3)));
    void this.#claim(link);
  }

  /** The connection is gone: what was not acknowledged comes again on the next one. */
  detach(): void {
    this.#link = undefined;
    clearInterval(this.#timer);
    this.#held.clear();
    this.#acks = [];
    this.#unconfirmed = 0;
    this.#cursor = undefined;
    for (const { flow } of this.#members) flow?.discard();
    for (const flow of this.#leaving) flow.discard();
    this.#reportQuiet();
  }

  /** Entries came, for the first time. */
  arrived(entries: readonly StreamEntry[]): void {
    for (const entry of entries) this.#take(entry, 1);
  }

  /** Everything read goes back, for others to have at once. */
  async end(): Promise<void> {
    const link = this.#link;
    if (link) {
      await this.#acknowledged();
      this.#giveBack(link, [...this.#held.keys()]);
      const { key, group, consumer } = this.#options;
      // A consumer is removed with what it holds, so only one that holds nothing.
      if (this.#held.size === 0 && link.alive)
        link.commands(key).send('xgroup', ['DELCONSUMER', key, group, consumer], ignore, ignore);
    }
    clearInterval(this.#timer);
  }

  /** Ends the group at the server, with whatever it still holds. */
  async destroy(): Promise<void> {
    const { key, group } = this.#options;
    const link = this.#link;
    if (link === undefined) return;
    await link
      .commands(key)
      .call('xgroup', 'DESTROY', key, group)
      .catch((error) => {
        throw commandError(error, `forgetting the group ${group}`);
      });
  }

  readonly #leaving = new Set<Flow<StreamEntry>>();

  async #leave(member: Member): Promise<void> {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
    const { flow } = member;
    if (flow === undefined) return;
    this.#leaving.add(flow);
    flow.stop();
    await flow.idle();
    this.#leaving.delete(flow);
    await this.#acknowledged();
  }

  #makeFlow(member: Member): Flow<StreamEntry> {
    return new Flow<StreamEntry>({
      maxInFlight: member.maxInFlight,
      inOrder: false,
      deliver: (entry, attempt, settle) => this.#deliver(member, entry, attempt, settle),
      onRoom: () => this.#roomAgain(),
    });
  }

  #free(): number {
    let room = 0;
    for (const { flow } of this.#members) room += flow?.room ?? 0;
    return room;
  }

  #roomAgain(): void {
    const link = this.#link;
    if (link && this.#cursor !== undefined) void this.#recover(link);
    else if (this.#full) {
      this.#full = false;
      this.#options.onRoom();
    }
  }

  #take(entry: StreamEntry, attempt: number): void {
    const link = this.#link;
    if (link === undefined || this.#held.has(entry.id)) return;
    this.#held.set(entry.id, { delivered: false });
    const member = this.#next();
    // Closed while the read waited.
    if (member?.flow === undefined) return this.#giveBack(link, [entry.id]);
    member.flow.arrived(entry, () => this.#acknowledge(entry.id), attempt);
  }

  /** Members take turns, those with room first. */
  #next(): Member | undefined {
    if (this.#members.length === 1) return this.#members[0];
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members.shift();
      if (member === undefined) return undefined;
      this.#members.push(member);
      if ((member.flow?.room ?? 0) > 0) return member;
    }
    return this.#members[0];
  }

  #deliver(
    member: Member,
    { id, payload, headers }: StreamEntry,
    attempt: number,
    settle: (outcome: Settlement) => void,
  ): void {
    const { address, key, group, consumer } = this.#options;
    const held = this.#held.get(id);
    const link = this.#link;
    // Delivered again here: the server's count goes with it, so that it survives this process.
    if (held?.delivered && link?.alive)
      link
        .commands(key)
        .send('xclaim', [key, group, consumer, 0, id, 'RETRYCOUNT', attempt, 'JUSTID'], ignore, ignore);
    if (held) held.delivered = true;
    member.onMessage({
      address,
      payload,
      headers,
      id,
      position: id,
      retained: false,
      redelivered: attempt > 1,
      attempt,
      settle,
    });
  }

  /** Many in one command: those of one turn of the event loop. */
  #acknowledge(id: string): void {
    const link = this.#link;
    this.#held.delete(id);
    if (link?.alive !== true) return;
    this.#acks.push(id);
    if (this.#acks.length > 1) return;
    this.#unconfirmed++;
    const { key, group, address } = this.#options;
    const connection = link.commands(key);
    connection.soon(() => {
      const ids = this.#acks;
      this.#acks = [];
      const done = () => {
        if (link !== this.#link) return;
        this.#unconfirmed--;
        this.#reportQuiet();
      };
      connection.send('xack', [key, group, ...ids], done, (error) => {
        if (connection.alive && !isMissingStream(error))
          this.#options.onRefused(commandError(error, `acknowledging on ${address}`));
        done();
      });
    });
  }

  /** Resolves when the server has confirmed every acknowledgement. */
  #acknowledged(): Promise<void> {
    if (this.#unconfirmed === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  #reportQuiet(): void {
    if (this.#unconfirmed > 0) return;
    for (const resolve of this.#quiet.splice(0)) resolve();
  }

  /** As if they had been abandoned long ago; what no handler has seen counts as never delivered. */
  #giveBack(link: Link, ids: readonly string[]): void {
    const { key, group, consumer } = this.#options;
    for (const delivered of [true, false]) {
      const some = ids.filter((id) => this.#held.get(id)?.delivered === delivered);
      if (some.length === 0 || !link.alive) continue;
      const count = delivered ? [] : ['RETRYCOUNT', 0];
      const args = [key, group, consumer, 0, ...some, 'IDLE', 86_400_000, ...count, 'JUSTID'];
      link.commands(key).send('xclaim', args, ignore, ignore);
    }
  }

  /** Three times within the idle time: what is worked on stays ours, what others abandoned becomes ours. */
  #tend(link: Link): void {
    if (link !== this.#link || !link.alive) return;
    const { key, group, consumer } = this.#options;
    const ids = [...this.#held.keys()];
    for (let i = 0; i < ids.length; i += MOST_AT_ONCE) {
      const some = ids.slice(i, i + MOST_AT_ONCE);
      link.commands(key).send('xclaim', [key, group, consumer, 0, ...some, 'JUSTID'], ignore, ignore);
    }
    void this.#claim(link);
  }

  /** What this consumer holds from before the loss, as far as there is room. */
  async #recover(link: Link): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    try {
      while (link === this.#link && this.#cursor !== undefined && this.#free() > 0) {
        const { key, group, consumer } = this.#options;
        const from = this.#cursor;
        const count = Math.min(MOST_AT_ONCE, this.#free());
        const list = await link.commands(key).call('xpending', key, group, from, '+', count, consumer);
        const pending = readPending(list);
        if (link !== this.#link) return;
        const last = pending.at(-1);
        this.#cursor = last && `(${last.id}`;
        await this.#claimSome(link, pending, 0);
      }
    } catch (error) {
      if (link === this.#link) {
        this.#cursor = undefined;
        this.#refused(link, error);
      }
    } finally {
      this.#recovering = false;
    }
    if (link === this.#link && this.#cursor === undefined) this.#options.onRoom();
  }

  /** What other members have held without a sign of life for the idle time. */
  async #claim(link: Link): Promise<void> {
    const { key, group, claimIdleMs } = this.#options;
    const count = Math.min(MOST_AT_ONCE, this.#free());
    if (count === 0) return;
    try {
      const list = await link
        .commands(key)
        .call('xpending', key, group, 'IDLE', claimIdleMs, '-', '+', count);
      if (link !== this.#link) return;
      await this.#claimSome(link, readPending(list), claimIdleMs);
    } catch (error) {
      this.#refused(link, error);
    }
  }

  async #claimSome(
    link: Link,
    pending: readonly { readonly id: string; readonly deliveries: number }[],
    idleMs: number,
  ): Promise<void> {
    const deliveries = new Map(
      pending.filter(({ id }) => !this.#held.has(id)).map((one) => [one.id, one.deliveries]),
    );
    if (deliveries.size === 0) return;
    const { key, group, consumer } = this.#options;
    // Another member may be faster: only what is still idle is handed over.
    const reply = await link.commands(key).call('xclaim', key, group, consumer, idleMs, ...deliveries.keys());
    if (link !== this.#link) return;
    for (const entry of readEntries(reply)) this.#take(entry, (deliveries.get(entry.id) ?? 0) + 1);
  }

  #refused(link: Link, error: unknown): void {
    if (!link.alive || link !== this.#link || isMissingStream(error)) return;
    this.#options.onRefused(commandError(error, `claiming on ${this.#options.address}`));
  }
}

/** A group begins after the entry it is given; the one before a position has a sequence number less (Redis, stream ids). */
function before(position: string): string {
  const match = /^(\d+)(?:-(\d+))?$/.exec(position);
  if (match?.[1] === undefined)
    throw new UnsupportedError(`the position ${position}`, 'an entry of a stream has the id <ms>-<n>');
  const [ms, sequence] = [BigInt(match[1]), BigInt(match[2] ?? 0)];
  if (sequence > 0n) return `${ms}-${sequence - 1n}`;
  return ms > 0n ? `${ms - 1n}-18446744073709551615` : '0';
}

function ignore(): void {}
