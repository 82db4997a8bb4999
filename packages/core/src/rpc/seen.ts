/**
 * Which requests were executed already: a trading command repeated by a broker (QoS 1 may deliver twice) must not run
 * twice. Our own clients number their reply addresses (`inbox/17`), so those cost one bit each; any other address is
 * kept whole.
 */
import { getOrMake } from '../util/get-or-make.js';

const BITS_PER_BLOCK = 4096;

interface Block {
  readonly bits: Uint32Array;
  touched: number;
}

/** Remembers reply targets for a time. */
export class SeenRequests {
  readonly #windowMs: number;
  readonly #limit: number;
  readonly #numbered = new Map<string, Map<number, Block>>();
  #young = new Set<string>();
  #old = new Set<string>();
  #turned: number;
  #blocks = 0;

  /**
   * @param windowMs A target is remembered at least this long, and at most twice as long.
   * @param limit Addresses kept whole; beyond it the oldest half is forgotten early, which bounds the memory.
   */
  constructor(windowMs = 60_000, limit = 200_000) {
    this.#windowMs = windowMs;
    this.#limit = limit;
    this.#turned = performance.now();
  }

  /** True when the target was given before; remembers it. */
  repeated(target: string): boolean {
    const now = performance.now();
    if (now - this.#turned > this.#windowMs) this.#turn(now);
    const cut = target.lastIndexOf('/') + 1;
    const number = cut > 0 && target.length - cut <= 15 ? Number(target.slice(cut)) : Number.NaN;
    // Only the canonical spelling: `inbox/017` and `inbox/17` are different addresses.
    if (Number.isSafeInteger(number) && number >= 0 && String(number) === target.slice(cut)) {
      return this.#repeatedNumber(target.slice(0, cut), number, now);
    }
    if (this.#young.has(target) || this.#old.has(target)) return true;
    if (this.#young.size >= this.#limit) this.#forgetOldest();
    this.#young.add(target);
    return false;
  }

  #repeatedNumber(prefix: string, number: number, now: number): boolean {
    // A block costs half a kilobyte: a flood of made-up numbers must not cost more than a flood of made-up names.
    if (this.#blocks > this.#limit / 4) this.#turn(now, true);
    const blocks = getOrMake(this.#numbered, prefix, () => new Map<number, Block>());
    const block = getOrMake(blocks, Math.floor(number / BITS_PER_BLOCK), () => {
      this.#blocks++;
      return { bits: new Uint32Array(BITS_PER_BLOCK / 32), touched: now };
    });
    block.touched = now;
    const bit = number % BITS_PER_BLOCK;
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    const before = block.bits[word] as number;
    block.bits[word] = before | mask;
    return (before & mask) !== 0;
  }

  #turn(now: number, flooded = false): void {
    this.#turned = now;
    this.#forgetOldest();
    this.#blocks = 0;
    for (const [prefix, blocks] of this.#numbered) {
      for (const [index, block] of blocks) {
        if (flooded || now - block.touched > this.#windowMs) blocks.delete(index);
        else this.#blocks++;
      }
      if (blocks.size === 0) this.#numbered.delete(prefix);
    }
  }

  #forgetOldest(): void {
    this.#old = this.#young;
    this.#young = new Set();
  }
}
