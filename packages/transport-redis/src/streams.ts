/** At-least-once subscriptions: consumer groups on streams, one waiting read per group (on a cluster, per group and slot). */
import {
  type CommlibError,
  type Inbound,
  type Intake,
  NotConnectedError,
  randomHex,
  type Start,
} from '@commlib/core';
import type { Link } from './link.js';
import type { RedisConfig } from './options.js';
import { StreamGroup } from './stream-group.js';
import { type Entries, StreamReader, type Wanted } from './stream-reader.js';

const MOST_AT_ONCE = 256;

/** One subscription. */
export interface StreamSubscription {
  readonly address: string;
  readonly group: string;
  readonly maxInFlight: number;
  readonly start: Start | undefined;
}

/** The waiting read of one group at one place. */
interface Place {
  readonly group: string;
  readonly groups: Map<string, StreamGroup>;
  reader: StreamReader | undefined;
  opening: Promise<void> | undefined;
}

export class Streams {
  readonly #config: RedisConfig;
  readonly #onRefused: (address: string, error: unknown) => void;
  /** By group and key. */
  readonly #groups = new Map<string, StreamGroup>();
  readonly #ofGroup = new Map<StreamGroup, string>();
  readonly #places = new Map<string, Place>();
  readonly #consumer = `commlib-${randomHex()}`;
  #link: Link | undefined;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];
  /** Being ended; a new subscription waits for that. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(config: RedisConfig, onRefused: (address: string, error: unknown) => void) {
    this.#config = config;
    this.#onRefused = onRefused;
  }

  /** Resolves when the group exists and is read; while offline, after the reconnect. */
  async join(subscription: StreamSubscription, onMessage: (message: Inbound) => void): Promise<Intake> {
    const { address, group: name, maxInFlight, start } = subscription;
    const key = `${this.#config.streamPrefix}${address}`;
    const id = `${name}\0${key}`;
    await this.#ending.get(id);
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = new StreamGroup({
        key,
        address,
        group: name,
        consumer: this.#consumer,
        start,
        claimIdleMs: this.#config.claimIdleMs,
        onRoom: () => this.#changed(name, key),
        onRefused: (error) => this.#onRefused(address, error),
      });
      this.#groups.set(id, group);
      this.#ofGroup.set(group, name);
    }
    const joined = group;
    const member = joined.add(onMessage, maxInFlight);
    const leave = async (forget: boolean) => {
      const left = member.leave();
      if (joined.empty) {
        const ending = this.#end(id, joined, left, forget);
        const silent = ending.catch(() => {});
        this.#ending.set(id, silent);
        void silent.then(() => {
          if (this.#ending.get(id) === silent) this.#ending.delete(id);
        });
        await ending;
      } else await left;
    };
    try {
      for (;;) {
        const link = await this.#ready();
        try {
          await this.#open(link, joined);
          break;
        } catch (error) {
          if (link.alive && link === this.#link) throw error;
        }
      }
    } catch (error) {
      await leave(false);
      throw error;
    }
    let closing: Promise<void> | undefined;
    return {
      close: (options) => {
        closing ??= leave(options?.forget === true);
        return closing;
      },
    };
  }

  /** Resolves when every group exists and is read on the new link. */
  async restore(link: Link): Promise<void> {
    this.detach();
    this.#restoring = link;
    await Promise.all([...this.#groups.values()].map((group) => this.#open(link, group)));
    this.#restoring = undefined;
    this.#link = link;
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  #restoring: Link | undefined;

  detach(): void {
    this.#link = undefined;
    this.#restoring = undefined;
    for (const { reader } of this.#places.values()) reader?.detach();
    this.#places.clear();
    for (const group of this.#groups.values()) group.detach();
  }

  fail(error: CommlibError): void {
    this.detach();
    this.#closed = error;
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  /** Reads no more, and leaves what is held to the others. */
  async stop(): Promise<void> {
    const places = [...this.#places.values()];
    for (const { groups } of places) groups.clear();
    await Promise.all(places.map(({ reader }) => reader?.settled()));
    await Promise.all([...this.#groups.values()].map((group) => group.end()));
  }

  async #ready(): Promise<Link> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#link?.alive) return this.#link;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }

  async #open(link: Link, group: StreamGroup): Promise<void> {
    await group.attach(link);
    const name = this.#ofGroup.get(group) ?? '';
    const at = `${link.placeOf(group.key)}\0${name}`;
    let place = this.#places.get(at);
    if (place === undefined) {
      place = { group: name, groups: new Map(), reader: undefined, opening: undefined };
      this.#places.set(at, place);
    }
    if (!this.#groups.has(`${name}\0${group.key}`)) return; // Left meanwhile.
    place.groups.set(group.key, group);
    const opened = place;
    place.opening ??= this.#startReader(link, place, group.key).catch((error) => {
      if (this.#places.get(at) === opened) this.#places.delete(at);
      throw error;
    });
    await place.opening;
    place.reader?.changed();
  }

  async #startReader(link: Link, place: Place, key: string): Promise<void> {
    const connection = await link.extra('reads', key);
    const reader = new StreamReader({
      group: place.group,
      consumer: this.#consumer,
      wanted: (coming) => wanted(place, coming),
      onEntries: (stream, entries) => place.groups.get(stream)?.arrived(entries),
      onMissing: async () => {
        await Promise.all([...place.groups.values()].map((group) => group.attach(link)));
      },
      onRefused: (error) => this.#onRefused([...place.groups.keys()].join(', '), error),
      commands: () => link.commands(key),
    });
    if (link !== this.#link && link !== this.#restoring) return link.drop(connection);
    place.reader = reader;
    await reader.attach(connection);
  }

  #changed(name: string, key: string): void {
    const link = this.#link ?? this.#restoring;
    if (link?.alive) this.#places.get(`${link.placeOf(key)}\0${name}`)?.reader?.changed();
  }

  /** The last subscriber here is leaving. */
  async #end(id: string, group: StreamGroup, left: Promise<void>, forget: boolean): Promise<void> {
    const link = this.#link;
    const name = this.#ofGroup.get(group) ?? '';
    const place = link && this.#places.get(`${link.placeOf(group.key)}\0${name}`);
    // Read no more, but what a read brings that waits just now is still seen to.
    const settled = place?.reader ? this.#withdraw(place, group) : undefined;
    await left;
    await settled;
    await group.end();
    this.#groups.delete(id);
    this.#ofGroup.delete(group);
    if (forget) {
      if (link?.alive !== true)
        throw new NotConnectedError(
          `not connected to ${this.#config.target}: the group ${name} is still there`,
        );
      await group.destroy();
    }
    group.detach();
  }

  async #withdraw(place: Place, group: StreamGroup): Promise<void> {
    await place.reader?.settled();
    place.groups.delete(group.key);
  }
}

/** Streams with room, and how many entries of each: the least room of all. */
function wanted(place: Place, coming?: Entries): Wanted {
  const keys: string[] = [];
  let count = MOST_AT_ONCE;
  for (const [key, group] of place.groups) {
    const room = group.room - (coming?.get(key)?.length ?? 0);
    if (room <= 0) continue;
    keys.push(key);
    count = Math.min(count, room);
  }
  return { keys, count };
}
