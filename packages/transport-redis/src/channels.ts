/**
 * Who wants which channels: one SUBSCRIBE per channel and few PSUBSCRIBEs however many subscribers there are here, restored on
 * each new link before it counts as ready. Each subscription gets a message once.
 */
import { type CommlibError, FilterTree, type Inbound } from '@commlib/core';
import type { Connection } from './connection.js';
import { commandError } from './errors.js';
import type { Link } from './link.js';
import { type Filter, matchesGlob, readFilter } from './names.js';
import { choosePrecision, coverOf, type Precision } from './patterns.js';

type Receive = (message: Inbound) => void;
type Wildcard = Exclude<Filter, { channel: string }>;

/** One SUBSCRIBE or PSUBSCRIBE. */
class Wire {
  readonly name: string;
  readonly pattern: boolean;
  /** Where it was asked for last, how that goes, and where the server has confirmed it. */
  on: Connection | undefined;
  confirmed: Promise<void> = Promise.resolve();
  confirmedOn: Connection | undefined;
  /** What needs it, or is about to. */
  users = 0;

  constructor(name: string, pattern: boolean) {
    this.name = name;
    this.pattern = pattern;
  }
}

/** A channel, by its name. */
class Channel extends Wire {
  readonly members = new Set<Receive>();
}

/** A filter with wildcards, and who wants it. */
interface Entry {
  readonly filter: Wildcard;
  readonly prefix: string;
  readonly glob: string;
  readonly members: Set<Receive>;
  /** What brings its messages now, and what is to bring them. */
  cover: Cover | undefined;
  next: Cover;
}

/** A pattern at the server with the filters it stands for. */
class Cover extends Wire {
  readonly #plain = new FilterTree<Entry>();
  readonly #literal = new FilterTree<Entry>();
  readonly #globs = new Set<Entry>();

  add(entry: Entry): void {
    const { levels, literal } = entry.filter;
    if (levels === undefined) this.#globs.add(entry);
    else (literal ? this.#literal : this.#plain).add(levels, entry);
  }

  delete(entry: Entry): void {
    const { levels, literal } = entry.filter;
    if (levels === undefined) this.#globs.delete(entry);
    else (literal ? this.#literal : this.#plain).delete(levels, entry);
  }

  match(channel: string, found: (entry: Entry) => void): void {
    const check = (entry: Entry) => {
      // The parent comes by its own name.
      if (matchesGlob(entry.filter.pieces, channel)) found(entry);
    };
    this.#plain.match(channel.split(/[./]/), check);
    this.#literal.match(channel.split('/'), check);
    for (const entry of this.#globs) check(entry);
  }
}

export class Channels {
  #maxPatterns: number;
  readonly #channels = new Map<string, Channel>();
  readonly #entries = new Map<string, Entry>();
  readonly #covers = new Map<string, Cover>();
  #precision: Precision = Number.POSITIVE_INFINITY;
  #link: Link | undefined;
  #connection: Promise<Connection> | undefined;
  #open: Connection | undefined;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];

  constructor(maxPatterns: number) {
    this.#maxPatterns = maxPatterns;
  }

  /** Resolves when the server has confirmed, with the way to leave; while offline, after the reconnect. */
  async join(filter: string, receive: Receive): Promise<() => Promise<void>> {
    const read = readFilter(filter);
    const leave =
      'channel' in read ? this.#enterChannel(read.channel, receive) : this.#enter(filter, read, receive);
    try {
      for (;;) {
        const link = await this.#ready();
        try {
          await this.#confirm(filter, read, await this.#connect(link));
          break;
        } catch (error) {
          if (link.alive && link === this.#link) throw commandError(error, `subscription to ${filter}`);
        }
      }
    } catch (error) {
      leave();
      throw error;
    }
    return async () => leave();
  }

  /** Subscribes everything on a new link. Rejects when the server refuses one, or the link ends. */
  async restore(link: Link): Promise<void> {
    this.#detached();
    this.#restoring = link;
    for (const wire of this.#wires()) wire.on = undefined;
    for (const entry of this.#entries.values()) if (entry.cover !== entry.next) this.#move(entry);
    if (this.#channels.size + this.#covers.size > 0) {
      const connection = await this.#connect(link);
      try {
        await Promise.all(this.#wires().map((wire) => this.#subscribe(wire, connection)));
      } catch (error) {
        link.throwIfEnded();
        throw commandError(error, 'a subscription');
      }
    }
    link.throwIfEnded();
    this.#restoring = undefined;
    this.#link = link;
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  #restoring: Link | undefined;

  detach(): void {
    this.#link = undefined;
    this.#restoring = undefined;
    this.#detached();
  }

  /** Nothing will be subscribed any more. */
  fail(error: CommlibError): void {
    this.detach();
    this.#closed = error;
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  #detached(): void {
    this.#connection = undefined;
    this.#open = undefined;
  }

  async #ready(): Promise<Link> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#link?.alive) return this.#link;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }

  /** The connection for messages is made when it is first needed. */
  #connect(link: Link): Promise<Connection> {
    this.#connection ??= link.extra('messages').then((connection) => {
      if (link === this.#link || link === this.#restoring) this.#open = connection;
      connection.listen((channel, payload, pattern) => this.#route(channel, payload, pattern));
      return connection;
    });
    const connection = this.#connection;
    connection.catch(() => {
      if (this.#connection === connection) this.#connection = undefined;
    });
    return connection;
  }

  #wires(): Wire[] {
    return [...this.#channels.values(), ...this.#covers.values()];
  }

  async #confirm(filter: string, read: Filter, connection: Connection): Promise<void> {
    const name = 'channel' in read ? read.channel : read.parent;
    const channel = name === undefined ? undefined : this.#channels.get(name);
    const parent = channel && this.#subscribe(channel, connection);
    // While it waits, another pattern may have been chosen.
    for (;;) {
      const cover = 'channel' in read ? undefined : this.#entries.get(filter)?.next;
      if (cover === undefined || (cover.on === connection && cover.confirmedOn === connection)) break;
      await this.#subscribe(cover, connection);
    }
    await parent;
  }

  #subscribe(wire: Wire, connection: Connection): Promise<void> {
    if (wire.on === connection) return wire.confirmed;
    wire.on = connection;
    wire.confirmed = new Promise<void>((resolve, reject) => {
      connection.send(
        wire.pattern ? 'psubscribe' : 'subscribe',
        [wire.name],
        () => {
          wire.confirmedOn = connection;
          if (wire instanceof Cover && wire.on === connection) this.#takeOver(wire);
          resolve();
        },
        (error) => {
          if (wire.on === connection) wire.on = undefined;
          if (connection.alive && wire instanceof Cover && this.#precision < Number.POSITIVE_INFINITY) {
            // Users of an ACL may be allowed exactly the patterns they asked for: then these it is.
            this.#maxPatterns = Number.POSITIVE_INFINITY;
            this.#assign(Number.POSITIVE_INFINITY);
            resolve();
          } else reject(error);
        },
      );
    });
    wire.confirmed.catch(() => {}); // A move to another pattern is awaited by nobody.
    return wire.confirmed;
  }

  #release(wire: Wire): void {
    if (--wire.users > 0) return;
    const all: Map<string, Wire> = wire.pattern ? this.#covers : this.#channels;
    if (all.get(wire.name) === wire) all.delete(wire.name);
    const connection = wire.on;
    wire.on = undefined;
    wire.confirmedOn = undefined;
    if (connection?.alive)
      connection.send(
        wire.pattern ? 'punsubscribe' : 'unsubscribe',
        [wire.name],
        () => {},
        () => {},
      );
  }

  #enterChannel(name: string, receive: Receive): () => void {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, false);
      this.#channels.set(name, channel);
    }
    // The same function may be given twice, and is called twice then.
    const one: Receive = (message) => receive(message);
    channel.users++;
    channel.members.add(one);
    const entered = channel;
    return once(() => {
      entered.members.delete(one);
      this.#release(entered);
    });
  }

  #enter(filter: string, read: Wildcard, receive: Receive): () => void {
    const leaveParent = read.parent === undefined ? undefined : this.#enterChannel(read.parent, receive);
    let entry = this.#entries.get(filter);
    if (entry === undefined) {
      const prefix = read.pieces[0] ?? '';
      const next = this.#cover(coverOf({ glob: read.glob, prefix }, this.#precision));
      next.users++;
      entry = { filter: read, prefix, glob: read.glob, members: new Set(), cover: undefined, next };
      this.#entries.set(filter, entry);
      // What is there already takes it over at once.
      if (next.on && next.confirmedOn === next.on) this.#move(entry);
      if (this.#covers.size > this.#maxPatterns) this.#coarsen();
    }
    const one: Receive = (message) => receive(message);
    entry.members.add(one);
    const entered = entry;
    return once(() => {
      leaveParent?.();
      entered.members.delete(one);
      if (entered.members.size === 0) this.#forget(filter, entered);
    });
  }

  #forget(filter: string, entry: Entry): void {
    this.#entries.delete(filter);
    entry.cover?.delete(entry);
    if (entry.cover && entry.cover !== entry.next) this.#release(entry.cover);
    this.#release(entry.next);
    if (this.#entries.size === 0) this.#precision = Number.POSITIVE_INFINITY;
  }

  #cover(pattern: string): Cover {
    let cover = this.#covers.get(pattern);
    if (cover === undefined) {
      cover = new Cover(pattern, true);
      this.#covers.set(pattern, cover);
    }
    return cover;
  }

  /** Fewer and wider patterns; half of what is allowed, so that it need not be done again soon. */
  #coarsen(): void {
    this.#assign(choosePrecision(this.#entries.values(), Math.ceil(this.#maxPatterns / 2)));
  }

  /** What brings an entry's messages goes on doing so until the server has confirmed what is to bring them. */
  #assign(precision: Precision): void {
    this.#precision = precision;
    for (const entry of this.#entries.values()) {
      const cover = this.#cover(coverOf(entry, precision));
      if (cover === entry.next) continue;
      cover.users++;
      const before = entry.next;
      entry.next = cover;
      if (before !== entry.cover) this.#release(before);
      if (cover.on && cover.confirmedOn === cover.on) this.#move(entry);
    }
    const connection = this.#open;
    if (connection?.alive !== true) return;
    for (const cover of this.#covers.values())
      if (cover.on !== connection) void this.#subscribe(cover, connection);
  }

  /** The server has confirmed the pattern: from this message on it brings what the others brought until now. */
  #takeOver(cover: Cover): void {
    for (const entry of this.#entries.values())
      if (entry.next === cover && entry.cover !== cover) this.#move(entry);
  }

  #move(entry: Entry): void {
    const before = entry.cover;
    before?.delete(entry);
    entry.cover = entry.next;
    entry.next.add(entry);
    if (before && before !== entry.next) this.#release(before);
  }

  #route(channel: string, payload: Buffer, pattern: string | undefined): void {
    const message: Inbound = { address: channel, payload, retained: false };
    if (pattern === undefined) {
      const to = this.#channels.get(channel);
      if (to) for (const receive of to.members) receive(message);
      return;
    }
    this.#covers.get(pattern)?.match(channel, (entry) => {
      for (const receive of entry.members) receive(message);
    });
  }
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
