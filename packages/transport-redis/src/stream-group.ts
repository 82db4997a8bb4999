/**
 * One stream as one group reads it, for all its subscribers here: who of them gets which entry, and which are not settled. An
 * entry that is not acknowledged stays with the group, whatever happens to this process.
 */
import {
  type CommlibError,
  Flow,
  type Inbound,
  type Settlement,
  type Start,
  UnsupportedError,
} from '@commlib/core';
import { commandError, replyCode } from './errors.js';
import type { Link } from './link.js';
import { StreamAcks } from './stream-acks.js';
import { StreamClaims } from './stream-claims.js';
import type { StreamEntry } from './stream-entries.js';

/** One subscriber. */
interface Member {
  readonly onMessage: (message: Inbound) => void;
  readonly maxInFlight: number;
  flow: Flow<StreamEntry> | undefined;
}

/** What there is as long as a link lasts. */
interface Attached {
  readonly link: Link;
  readonly claims: StreamClaims;
  readonly acks: StreamAcks;
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
  #attached: Attached | undefined;
  /** Entries here that are not settled: whether a handler has seen them. */
  readonly #held = new Map<string, { delivered: boolean }>();
  /** There was no room when the reader asked: it wants to hear when there is. */
  #full = false;
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
    if (this.#attached?.claims.recovering) return 0;
    const free = this.#free();
    this.#full = free === 0;
    return free;
  }

  add(onMessage: (message: Inbound) => void, maxInFlight: number): { leave(): Promise<void> } {
    const member: Member = { onMessage, maxInFlight, flow: undefined };
    if (this.#attached) member.flow = this.#makeFlow(member);
    this.#members.push(member);
    return { leave: () => this.#leave(member) };
  }

  /** Makes the group where there is none, and takes up what is with this consumer already. */
  async attach(link: Link): Promise<void> {
    const { key, group, start = 'new' } = this.#options;
    // Made anew after somebody deleted it: then nothing that is in the stream was delivered.
    const from = this.#established
      ? '0'
      : start === 'new'
        ? '$'
        : start === 'earliest'
          ? '0'
          : before(start.position);
    try {
      await link.commands(key).call('xgroup', 'CREATE', key, group, from, 'MKSTREAM');
    } catch (error) {
      if (replyCode(error) !== 'BUSYGROUP')
        throw commandError(error, `group ${group} on ${this.#options.address}`);
    }
    const again = this.#established;
    this.#established = true;
    if (this.#attached?.link === link) return;
    this.#attached?.claims.detach();
    const attached = this.#attach(link);
    this.#attached = attached;
    for (const member of this.#members) member.flow = this.#makeFlow(member);
    attached.claims.start(again);
  }

  /** The connection is gone: what was not acknowledged comes again on the next one. */
  detach(): void {
    const attached = this.#attached;
    this.#attached = undefined;
    attached?.claims.detach();
    this.#held.clear();
    for (const { flow } of this.#members) flow?.discard();
    for (const flow of this.#leaving) flow.discard();
    attached?.acks.end();
  }

  /** Entries came, for the first time. */
  arrived(entries: readonly StreamEntry[]): void {
    for (const entry of entries) this.#take(entry, 1);
  }

  /** Everything read goes back, for others to have at once. */
  async end(): Promise<void> {
    if (this.#attached === undefined) return;
    const { link, claims, acks } = this.#attached;
    await acks.confirmed();
    claims.giveBack([...this.#held.keys()]);
    const { key, group, consumer } = this.#options;
    // A consumer is removed with what it holds, so only one that holds nothing.
    if (this.#held.size === 0 && link.alive)
      link.commands(key).send('xgroup', ['DELCONSUMER', key, group, consumer], ignore, ignore);
    claims.stop();
  }

  /** Ends the group at the server, with whatever it still holds. */
  async destroy(): Promise<void> {
    const { key, group } = this.#options;
    await this.#attached?.link
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
    await this.#attached?.acks.confirmed();
  }

  #attach(link: Link): Attached {
    const { key, address, group, consumer, claimIdleMs, onRoom, onRefused } = this.#options;
    const claims = new StreamClaims(link, {
      key,
      group,
      consumer,
      claimIdleMs,
      held: this.#held,
      room: () => this.#free(),
      onEntry: (entry, attempt) => this.#take(entry, attempt),
      onRecovered: onRoom,
      onRefused: (error) => onRefused(commandError(error, `claiming on ${address}`)),
    });
    return { link, claims, acks: new StreamAcks(link, { key, address, group, onRefused }) };
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
    const claims = this.#attached?.claims;
    if (claims?.recovering) void claims.recover();
    else if (this.#full) {
      this.#full = false;
      this.#options.onRoom();
    }
  }

  #take(entry: StreamEntry, attempt: number): void {
    const attached = this.#attached;
    if (attached === undefined || this.#held.has(entry.id)) return;
    this.#held.set(entry.id, { delivered: false });
    const member = this.#next();
    // Closed while the read waited.
    if (member?.flow === undefined) return attached.claims.giveBack([entry.id]);
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
    const { address } = this.#options;
    const held = this.#held.get(id);
    if (held?.delivered) this.#attached?.claims.deliveredAgain(id, attempt);
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

  #acknowledge(id: string): void {
    this.#held.delete(id);
    this.#attached?.acks.add(id);
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
