/**
 * Packet identifiers 1…65535, none given out twice at a time. mqtt.js's default counts on and overwrites messages still
 * under way; its other one keeps a sorted tree. Here it is one array look-up.
 */
const LAST = 65_535;

/** Satisfies mqtt.js's `IMessageIdProvider`. */
export class PacketIds {
  readonly #used = new Uint8Array(LAST + 1);
  #count = 0;
  #last = 0;

  /** The next free identifier, or `null` when all are under way: then mqtt.js holds the packet back. */
  allocate(): number | null {
    if (this.#count === LAST) return null;
    let id = this.#last;
    do id = id === LAST ? 1 : id + 1;
    while (this.#used[id] === 1);
    this.#used[id] = 1;
    this.#count++;
    this.#last = id;
    return id;
  }

  getLastAllocated(): number | null {
    return this.#last === 0 ? null : this.#last;
  }

  register(id: number): boolean {
    if (this.#used[id] === 1) return false;
    this.#used[id] = 1;
    this.#count++;
    return true;
  }

  deallocate(id: number): void {
    if (this.#used[id] !== 1) return;
    this.#used[id] = 0;
    this.#count--;
  }

  clear(): void {
    this.#used.fill(0);
    this.#count = 0;
  }
}
