/**
 * At-most-once subscriptions, services that all get every request, and reply inboxes: no consumer group, one position per
 * partition for all of them together. So a subscription takes milliseconds instead of the seconds a group takes to form, any
 * number of them costs one reader, and after a loss reading goes on where it was.
 */
import {
  type CommlibError,
  FilterTree,
  type Inbound,
  matches,
  type Start,
  UnsupportedError,
} from '@commlib/core';
import { isLinkError } from './errors.js';
import type { Cursor, Fetcher } from './fetcher.js';
import type { Link } from './link.js';
import { isWildcard } from './names.js';
import type { FetchedRecord } from './protocol.js';
import { parsePosition, toInbound } from './record.js';
import type { Leaders, Topics } from './topics.js';

/** What is there while a connection is. */
export interface Session {
  readonly link: Link;
  readonly topics: Topics;
  readonly fetcher: Fetcher;
}

interface Member {
  readonly filter: string;
  readonly levels: readonly string[];
  readonly onMessage: (message: Inbound) => void;
  readonly readers: Set<Reader>;
  open: boolean;
  /** Held against topics that come. */
  wild: boolean;
  /** While its topics are looked up: those that others find meanwhile. */
  joining: Map<string, Leaders> | undefined;
}

/** One topic that is read. */
interface Reader {
  readonly topic: string;
  /** See {@link JoinOptions.own}. */
  readonly own: Readonly<Record<string, string>> | undefined;
  /** By partition. */
  readonly cursors: Cursor[];
  /** With the offsets, by partition, below which a record is not for them; undefined when all are passed. */
  readonly members: Map<Member, number[] | undefined>;
}

/** How a subscription is made. */
export interface JoinOptions {
  readonly filter: string;
  readonly start?: Start | undefined;
  readonly onMessage: (message: Inbound) => void;
  /** The topic is our own: made if it is missing, whatever the options say, with this configuration. */
  readonly own?: Readonly<Record<string, string>> | undefined;
}

export class Subscriptions {
  readonly #readers = new Map<string, Reader>();
  readonly #members = new Set<Member>();
  readonly #wild = new FilterTree<Member>();
  readonly #pollMs: number;
  #wildCount = 0;
  /** Topics that every wildcard was held against. */
  #seen = new Set<string>();
  #session: Session | undefined;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];
  #poll: ReturnType<typeof setInterval> | undefined;
  #polling = false;

  constructor(pollMs: number) {
    this.#pollMs = pollMs;
  }

  /** Resolves when the positions are known, with the way to leave; while offline, after the reconnect. */
  async join(options: JoinOptions): Promise<() => void> {
    const member: Member = {
      filter: options.filter,
      levels: options.filter.split('.'),
      onMessage: options.onMessage,
      readers: new Set(),
      open: true,
      wild: false,
      joining: undefined,
    };
    if (typeof options.start === 'object') {
      if (isWildcard(options.filter) || !parsePosition(options.start.position)) {
        throw new UnsupportedError('the start position', 'it must be partition:offset, of one topic');
      }
    }
    for (;;) {
      const session = await this.#ready();
      try {
        if (isWildcard(options.filter)) await this.#joinWild(session, member, options);
        else await this.#joinOne(session, member, options);
        break;
      } catch (error) {
        this.#leave(member);
        if (session === this.#session && session.link.alive && !isLinkError(error)) throw error;
        if (this.#closed) throw this.#closed;
      }
    }
    this.#members.add(member);
    return () => {
      member.open = false;
      this.#leave(member);
    };
  }

  /** A new connection: every position is taken up again. */
  async restore(session: Session): Promise<void> {
    const { topics, fetcher } = session;
    await Promise.all(
      [...this.#readers.values()].map(async (reader) => {
        const leaders = await topics.need(reader.topic, reader.own);
        // Partitions that were added meanwhile are read from their beginning.
        leaders.forEach((_, partition) => {
          if (!reader.cursors[partition]) reader.cursors[partition] = this.#cursor(reader, partition, 0);
        });
      }),
    );
    session.link.throwIfEnded();
    for (const reader of this.#readers.values()) for (const cursor of reader.cursors) fetcher.add(cursor);
    this.#session = session;
    topics.onNew = (topic, leaders) => this.#discover(session, topic, leaders);
    this.#watch();
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  detach(): void {
    this.#session = undefined;
    this.#watch();
  }

  /** Nothing will be subscribed any more. */
  fail(error: CommlibError): void {
    this.#session = undefined;
    this.#closed = error;
    this.#watch();
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  async #ready(): Promise<Session> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#session?.link.alive) return this.#session;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }

  async #joinOne(session: Session, member: Member, { filter, start, own }: JoinOptions): Promise<void> {
    const { topics } = session;
    const leaders = await topics.need(filter, own);
    // Wildcards read it from its beginning if they have not met it: before this one begins at its end.
    await this.#discover(session, filter, leaders);
    // Nothing was there before a topic of our own.
    const starts = own ? leaders.map(() => 0) : [...(await startOffsets(topics, filter, leaders, start))];
    session.link.throwIfEnded();
    this.#attach(session, member, filter, leaders, starts, own);
  }

  async #joinWild(session: Session, member: Member, { start }: JoinOptions): Promise<void> {
    const { topics } = session;
    member.joining = new Map();
    member.wild = true;
    this.#wild.add(member.levels, member);
    this.#wildCount++;
    this.#watch();
    const there = [...(await topics.list())].filter(([topic]) => matches(member.levels, topic.split('.')));
    const starts = await Promise.all(
      there.map(([topic, leaders]) =>
        startOffsets(topics, topic, leaders, start === 'earliest' ? start : 'new'),
      ),
    );
    session.link.throwIfEnded();
    const later = member.joining ?? new Map<string, Leaders>();
    member.joining = undefined;
    there.forEach(([topic, leaders], i) => {
      this.#attach(session, member, topic, leaders, [...(starts[i] ?? [])]);
      later.delete(topic);
      // Others may not have met it: they do at the next look.
      if (this.#wildCount === 1) this.#seen.add(topic);
    });
    for (const [topic, leaders] of later) await this.#attachFromBeginning(session, [member], topic, leaders);
  }

  /** A topic that no wildcard was held against yet: those that match read it from its beginning. */
  async #discover(session: Session, topic: string, leaders: Leaders): Promise<void> {
    if (this.#wildCount === 0 || this.#seen.has(topic)) return;
    this.#seen.add(topic);
    const found: Member[] = [];
    this.#wild.match(topic.split('.'), (member) => {
      if (member.joining) member.joining.set(topic, leaders);
      else if (member.open) found.push(member);
    });
    if (found.length > 0) await this.#attachFromBeginning(session, found, topic, leaders);
  }

  async #attachFromBeginning(
    session: Session,
    members: readonly Member[],
    topic: string,
    leaders: Leaders,
  ): Promise<void> {
    const starts = await session.topics.beginnings(topic, leaders);
    session.link.throwIfEnded();
    for (const member of members) if (member.open) this.#attach(session, member, topic, leaders, [...starts]);
  }

  #attach(
    session: Session,
    member: Member,
    topic: string,
    leaders: Leaders,
    starts: number[],
    own?: Readonly<Record<string, string>>,
  ): void {
    let reader = this.#readers.get(topic);
    if (!reader) {
      reader = { topic, own, cursors: [], members: new Map() };
      this.#readers.set(topic, reader);
    }
    if (reader.members.has(member)) return;
    const floors: number[] = [];
    const moved: Cursor[] = [];
    leaders.forEach((_, partition) => {
      const start = starts[partition] ?? 0;
      const cursor = reader.cursors[partition];
      if (!cursor) {
        const made = this.#cursor(reader, partition, start);
        reader.cursors[partition] = made;
        moved.push(made);
      } else if (start > cursor.position) {
        floors[partition] = start;
      } else if (start < cursor.position) {
        // Read again for the newcomer; the others have what lies below.
        for (const [other, passed] of reader.members) {
          const own = passed ?? [];
          own[partition] = Math.max(own[partition] ?? 0, cursor.position);
          reader.members.set(other, own);
        }
        cursor.position = start;
      }
    });
    reader.members.set(member, floors.length > 0 ? floors : undefined);
    member.readers.add(reader);
    for (const cursor of moved) session.fetcher.add(cursor);
  }

  #cursor(reader: Reader, partition: number, position: number): Cursor {
    const { topic } = reader;
    return {
      topic,
      partition,
      position,
      paused: false,
      deliver: (records) => this.#deliver(reader, partition, records),
    };
  }

  #deliver(reader: Reader, partition: number, records: readonly FetchedRecord[]): void {
    for (const record of records) {
      const inbound = toInbound(reader.topic, partition, record);
      for (const [member, floors] of reader.members) {
        if (!member.open) continue;
        const floor = floors?.[partition];
        if (floors && floor !== undefined) {
          if (Number(record.offset) < floor) continue;
          delete floors[partition];
          if (Object.keys(floors).length === 0) reader.members.set(member, undefined);
        }
        member.onMessage(inbound);
      }
    }
  }

  #leave(member: Member): void {
    this.#members.delete(member);
    for (const reader of member.readers) {
      reader.members.delete(member);
      if (reader.members.size > 0) continue;
      this.#readers.delete(reader.topic);
      for (const cursor of reader.cursors) this.#session?.fetcher.remove(cursor);
    }
    member.readers.clear();
    if (!member.wild) return;
    member.wild = false;
    this.#wild.delete(member.levels, member);
    this.#wildCount--;
    if (this.#wildCount === 0) this.#seen.clear();
    this.#watch();
  }

  /** Topics are listed while somebody waits for new ones. */
  #watch(): void {
    const wanted = this.#wildCount > 0 && this.#session !== undefined;
    if (wanted && !this.#poll) this.#poll = setInterval(() => void this.#look(), this.#pollMs);
    if (!wanted && this.#poll) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
  }

  async #look(): Promise<void> {
    const session = this.#session;
    if (!session || this.#polling) return;
    this.#polling = true;
    try {
      const there = await session.topics.list();
      if (session !== this.#session) return;
      for (const topic of this.#seen) if (!there.has(topic)) this.#gone(session, topic);
      for (const [topic, leaders] of there) await this.#discover(session, topic, leaders);
    } catch (error) {
      if (session.link.alive) session.link.failed(error);
    } finally {
      this.#polling = false;
    }
  }

  /** A topic was deleted: should it come back, it is a new one. */
  #gone(session: Session, topic: string): void {
    this.#seen.delete(topic);
    session.topics.forget(topic);
    const reader = this.#readers.get(topic);
    if (!reader || [...reader.members.keys()].some((member) => !isWildcard(member.filter))) return;
    this.#readers.delete(topic);
    for (const cursor of reader.cursors) session.fetcher.remove(cursor);
    for (const member of reader.members.keys()) member.readers.delete(reader);
  }
}

/** Where each partition is to be read from. */
export async function startOffsets(
  topics: Topics,
  topic: string,
  leaders: Leaders,
  start: Start | undefined,
): Promise<readonly number[]> {
  if (start === 'earliest') return topics.beginnings(topic, leaders);
  const ends = await topics.ends(topic, leaders);
  if (start === undefined || start === 'new') return ends;
  const asked = parsePosition(start.position);
  return ends.map((end, partition) => asked?.get(partition) ?? end);
}
