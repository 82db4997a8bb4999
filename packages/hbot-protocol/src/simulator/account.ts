/** A paper account on a market that walks about: prices, balances, fills, and what they add up to. */
import type { Trade } from '../schemas/commands/index.js';
import { positional, round } from './numbers.js';
import type { Random } from './random.js';

/** Where the bot trades. */
export interface Market {
  readonly name: string;
  readonly base: string;
  readonly quote: string;
  readonly price: number;
  /** As decimal text: `"0.002"`. */
  readonly fee: string;
}

/** What was bought or sold. */
export interface Fill {
  readonly side: 'BUY' | 'SELL';
  readonly amount: number;
  readonly price: number;
  readonly tradeId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Trades are kept to this number; history replies of real bots grow without bound, and too large ones cost them the connection. */
const MAX_TRADES = 5_000;

/** One account. */
export class Account {
  readonly market: Market;
  readonly #random: Random;
  #price: number;
  #base = 10;
  #quote = 1_000;
  #trades: Trade[] = [];
  #bought = 0;
  #sold = 0;
  #volume = 0;
  #fees = 0;

  constructor(market: Market, random: Random) {
    this.market = market;
    this.#random = random;
    this.#price = market.price;
  }

  get pair(): string {
    return `${this.market.base}-${this.market.quote}`;
  }

  /** The price now: each look at it moves it a little. */
  walk(): number {
    const { price } = this.market;
    const pull = (price - this.#price) * 0.02; // It comes back, so that the account lasts.
    this.#price = round(this.#price + pull + this.#random.between(-0.002, 0.002) * price, 2);
    return this.#price;
  }

  /** A side the account can afford. */
  side(amount: number): 'BUY' | 'SELL' {
    const wanted = this.#random.chance(0.5) ? 'BUY' : 'SELL';
    if (wanted === 'BUY' && this.#quote < amount * this.#price * 1.1) return 'SELL';
    return wanted === 'SELL' && this.#base < amount ? 'BUY' : wanted;
  }

  fill({ side, amount, price, tradeId, at }: Fill): void {
    const { market } = this;
    const quote = amount * price;
    const fee = quote * Number(market.fee);
    const sign = side === 'BUY' ? 1 : -1;
    this.#base += sign * amount;
    this.#quote -= sign * quote + fee;
    if (side === 'BUY') this.#bought += amount;
    else this.#sold += amount;
    this.#volume += quote;
    this.#fees += fee;
    this.#trades.push({
      market: market.name,
      trade_id: tradeId,
      price: positional(price),
      quantity: positional(amount),
      symbol: this.pair,
      trade_timestamp: at,
      trade_type: side,
      base_asset: market.base,
      quote_asset: market.quote,
      raw_json: {
        trade_fee: { fee_type: 'AddedToCost', percent: market.fee, percent_token: null, flat_fees: [] },
      },
    });
    if (this.#trades.length > MAX_TRADES) this.#trades = this.#trades.slice(-MAX_TRADES);
  }

  /** Trades since then, oldest first. */
  trades(since: number): Trade[] {
    return this.#trades.filter((trade) => trade.trade_timestamp >= since);
  }

  /** The sums a performance report is made of. */
  get totals() {
    const start = 1_000 + 10 * this.market.price;
    const pnl = this.#quote + this.#base * this.#price - start;
    return {
      pnl: round(pnl, 8),
      pnlPct: round((pnl / start) * 100, 8),
      volume: round(this.#volume, 8),
      fees: round(this.#fees, 8),
      position: round(this.#bought - this.#sold, 8),
      price: this.#price,
      base: round(this.#base, 8),
      quote: round(this.#quote, 8),
    };
  }
}
