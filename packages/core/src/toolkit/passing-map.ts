/** What a deleted entry leaves behind. */
interface Cell<V> {
  value: V | undefined;
}

/**
 * The part of `Map` that is needed where entries come and go by the thousand per second: calls in flight, messages that wait for their
 * confirmation. For transports.
 *
 * After many deletions V8 moves what is left of a `Map` to a new table, and the old one, with all it held, points to the new.
 * Once a dead table is in the old generation, the collections of the young one take it for alive, and with it each
 * later table and each entry these held: 64 calls in flight had them copy seven times as much as was alive. Here a
 * deleted entry leaves its key and an empty cell.
 */
export class PassingMap<K, V extends object> {
  readonly #cells = new Map<K, Cell<V>>();

  get size(): number {
    return this.#cells.size;
  }

  has(key: K): boolean {
    return this.#cells.has(key);
  }

  get(key: K): V | undefined {
    return this.#cells.get(key)?.value;
  }

  set(key: K, value: V): void {
    const cell = this.#cells.get(key);
    if (cell) cell.value = value;
    else this.#cells.set(key, { value });
  }

  /** Takes an entry out; undefined when there is none. */
  take(key: K): V | undefined {
    const cell = this.#cells.get(key);
    if (cell === undefined) return undefined;
    this.#cells.delete(key);
    const { value } = cell;
    cell.value = undefined;
    return value;
  }

  /** True when there was one. */
  delete(key: K): boolean {
    return this.take(key) !== undefined;
  }

  clear(): void {
    for (const cell of this.#cells.values()) cell.value = undefined;
    this.#cells.clear();
  }

  /** In the order they were set. */
  keys(): IterableIterator<K> {
    return this.#cells.keys();
  }

  *values(): Generator<V> {
    for (const { value } of this.#cells.values()) if (value !== undefined) yield value;
  }

  *[Symbol.iterator](): Generator<[K, V]> {
    for (const [key, { value }] of this.#cells) if (value !== undefined) yield [key, value];
  }
}
