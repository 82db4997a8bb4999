/** Which of the numbers from 0 have come, and how often one came again. */
export class Numbers {
  readonly #seen: Uint8Array;
  readonly size: number;
  /** Different numbers so far. */
  count = 0;
  /** Numbers that had come before. */
  duplicates = 0;
  /** One more than the highest number so far. */
  end = 0;

  constructor(size: number) {
    this.size = size;
    this.#seen = new Uint8Array(Math.ceil(size / 8));
  }

  /** @throws RangeError for a number that was never sent. */
  add(n: number): void {
    if (!Number.isInteger(n) || n < 0 || n >= this.size) throw new RangeError(`nobody sent ${n}`);
    const byte = this.#seen[n >> 3] ?? 0;
    const bit = 1 << (n & 7);
    if (byte & bit) {
      this.duplicates++;
      return;
    }
    this.#seen[n >> 3] = byte | bit;
    this.count++;
    if (n >= this.end) this.end = n + 1;
  }

  /** The first few that have not come. */
  missing(limit = 10): number[] {
    const found: number[] = [];
    for (let n = 0; n < this.size && found.length < limit; n++) {
      if (!((this.#seen[n >> 3] ?? 0) & (1 << (n & 7)))) found.push(n);
    }
    return found;
  }
}
