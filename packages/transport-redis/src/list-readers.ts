/** Readers of lists, one per place: on one server they share a connection, on a cluster each slot needs its own. */
import { randomHex } from '@commlib/core';
import type { Link } from './link.js';
import { ListReader } from './list-reader.js';
import type { Pusher } from './pusher.js';

/** Wake-up elements are used at once; after a crash they shall not stay. */
const WAKE_EXPIRY_MS = 60_000;
const WAKE = Buffer.from('wake');

/** What the readers read. */
export interface ListSource {
  /** Lists wanted now, whatever their place. */
  keys(): Iterable<string>;
  /** Of these lists, in which order, and how many elements of one at most. */
  wanted(keys: readonly string[]): { readonly keys: readonly string[]; readonly count: number };
  elements(key: string, elements: readonly Buffer[]): void;
  refused(error: unknown): void;
}

interface Place {
  readonly reader: ListReader;
  readonly keys: Set<string>;
}

export class ListReaders {
  readonly #source: ListSource;
  readonly #pusher: Pusher;
  readonly #places = new Map<string, Place>();
  #link: Link | undefined;
  /** Connections being made. */
  readonly #opening = new Map<string, Promise<void>>();

  constructor(source: ListSource, pusher: Pusher) {
    this.#source = source;
    this.#pusher = pusher;
  }

  /** Resolves when every list is read. */
  async attach(link: Link): Promise<void> {
    this.detach();
    this.#link = link;
    await Promise.all([...this.#source.keys()].map((key) => this.add(key)));
  }

  detach(): void {
    this.#link = undefined;
    for (const { reader } of this.#places.values()) reader.detach();
    this.#places.clear();
    this.#opening.clear();
  }

  /** One more list. Resolves when there is a connection for it; while offline at once. */
  async add(key: string): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    const at = link.placeOf(key);
    const place = this.#places.get(at);
    if (place) {
      place.keys.add(key);
      place.reader.changed();
    } else {
      let opening = this.#opening.get(at);
      if (opening === undefined) {
        const mine = this.#open(link, at, key).finally(() => {
          if (this.#opening.get(at) === mine) this.#opening.delete(at);
        });
        opening = mine;
        this.#opening.set(at, mine);
      }
      await opening;
      if (link !== this.#link) return;
      const opened = this.#places.get(at);
      opened?.keys.add(key);
      opened?.reader.changed();
    }
  }

  /** One list less. Resolves when no read waits for it any more. */
  async remove(key: string): Promise<void> {
    const place = this.#link && this.#places.get(this.#link.placeOf(key));
    if (!place?.keys.delete(key)) return;
    await place.reader.settled();
  }

  /** The source wants more of the lists, or fewer. */
  changed(key?: string): void {
    if (key === undefined) for (const { reader } of this.#places.values()) reader.changed();
    else this.#places.get(this.#link?.placeOf(key) ?? '')?.reader.changed();
  }

  /** Reads nothing any more. Resolves when no read waits. */
  async stop(): Promise<void> {
    const places = [...this.#places.values()];
    for (const { keys } of places) keys.clear();
    await Promise.all(places.map(({ reader }) => reader.settled()));
  }

  async #open(link: Link, at: string, key: string): Promise<void> {
    const connection = await link.extra('reads', key);
    if (link !== this.#link) return;
    const keys = new Set<string>();
    // On a cluster in the slot of what it wakes.
    const wakeKey = `commlib:wake:${randomHex()}${at === '' ? '' : sameSlot(key)}`;
    const reader = new ListReader({
      wakeKey,
      wake: (list) => {
        this.#pusher.push(list, WAKE, WAKE_EXPIRY_MS).catch(() => {}); // The connection ended, and the read with it.
      },
      wanted: () => this.#source.wanted([...keys]),
      onElements: (list, elements) => this.#source.elements(list, elements),
      onRefused: (error) => this.#source.refused(error),
    });
    this.#places.set(at, { reader, keys });
    reader.attach(connection);
  }
}

/** What of a key decides on its slot, in braces (Redis Cluster specification, hash tags). */
function sameSlot(key: string): string {
  const tag = /\{([^}]+)\}/.exec(key)?.[1];
  return `{${tag ?? key}}`;
}
