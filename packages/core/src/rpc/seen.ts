/**
 * Which requests were executed already: a trading command repeated by a broker (QoS 1 may deliver twice) must not run
 * twice. Our own clients number their reply addresses (`inbox/17`), so those cost one bit each; any other address is
 * kept whole.
 */
import { getOrMake } from '../util/get-or-make.js';

const BITS_PER_BLOCK = 4096;
/** What a block of bits may cost, in characters of addresses kept whole. */
const BLOCK_COST = BITS_PER_BLOCK / 16;
/** What an address costs beside its characters. */
const ADDRESS_COST = 32;

/** The targets that came in one window. */
class Window {
  readonly #addresses = new Set<string>();
  /** By what stands before the number: blocks of bits. */
  readonly #numbered = new Map<string, Map<number, Uint32Array>>();
  /** Roughly, in characters. */
  cost = 0;

  hasNumber(prefix: string, number: number): boolean {
    const block = this.#numbered.get(prefix)?.get(Math.floor(number / BITS_PER_BLOCK));
    if (block === undefined) return false;
    const bit = number % BITS_PER_BLOCK;
    return ((block[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  addNumber(prefix: string, number: number): void {
    const blocks = getOrMake(this.#numbered, prefix, () => {
      this.cost += prefix.length + ADDRESS_COST;
      return new Map<number, Uint32Array>();
    });
    const block = getOrMake(blocks, Math.floor(number / BITS_PER_BLOCK), () => {
      this.cost += BLOCK_COST;
      return new Uint32Array(BITS_PER_BLOCK / 32);
    });
    const bit = number % BITS_PER_BLOCK;
    const word = bit >>> 5;
    block[word] = (block[word] as number) | (1 << (bit & 31));
  }

  has(address: string): boolean {
    return this.#addresses.has(address);
  }

  add(address: string): void {
    this.#addresses.add(address);
    this.cost += address.length + ADDRESS_COST;
  }
}

/** Remembers reply targets for a time. */
export class SeenRequests {
  readonly #windowMs: number;
  readonly #limit: number;
  #young = new Window();
  #old = new Window();
  #turned = performance.now();

  /**
   * @param windowMs A target is remembered at least this long, and at most twice as long.
   * @param limit What may be remembered in one window, in characters of addresses, roughly. Beyond it the older half is
   *   forgotten early, which bounds the memory; it takes a flood.
   */
  constructor(windowMs = 60_000, limit = 20_000_000) {
    this.#windowMs = windowMs;
    this.#limit = limit;
  }

  /** True when the target was given before; remembers it. */
  repeated(target: string): boolean {
    this.#turn(performance.now());
    const cut = target.lastIndexOf('/') + 1;
    const number = cut > 0 && target.length - cut <= 15 ? Number(target.slice(cut)) : Number.NaN;
    // Only the canonical spelling: `inbox/017` and `inbox/17` are different addresses.
    if (Number.isSafeInteger(number) && number >= 0 && String(number) === target.slice(cut)) {
      const prefix = target.slice(0, cut);
      if (this.#young.hasNumber(prefix, number) || this.#old.hasNumber(prefix, number)) return true;
      this.#young.addNumber(prefix, number);
    } else {
      if (this.#young.has(target) || this.#old.has(target)) return true;
      this.#young.add(target);
    }
    return false;
  }

  #turn(now: number): void {
    const age = now - this.#turned;
    if (age <= this.#windowMs && this.#young.cost < this.#limit) return;
    // After a long silence nothing is young any more.
    this.#old = age > 2 * this.#windowMs ? new Window() : this.#young;
    this.#young = new Window();
    this.#turned = now;
  }
}
