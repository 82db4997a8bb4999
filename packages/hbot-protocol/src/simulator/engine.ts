/** A strategy that trades by itself: orders in, events out, each order's in the order of real bots. */
import type { Clock } from '../bridge/clock.js';
import type { EventOf, KnownEventType } from '../schemas/events/index.js';
import type { Account } from './account.js';
import { round } from './numbers.js';
import type { Random } from './random.js';

/** What the engine needs, and where its events go. */
export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly account: Account;
  readonly onEvent: <T extends KnownEventType>(type: T, data: EventOf<T>['data']) => void;
}

interface Order {
  readonly id: string;
  readonly side: 'BUY' | 'SELL';
  readonly kind: 'MARKET' | 'LIMIT';
  readonly amount: number;
  readonly price: number;
  filled: number;
  spent: number;
  cancelTimer: () => void;
}

/** A first order soon after the start, so that there is something to see. */
const FIRST_ORDER_MS = 100;
const ORDERS_MS = [1_200, 2_800] as const;
const MARKET_FILL_MS = [100, 400] as const;
const LIMIT_FILL_MS = [400, 2_000] as const;

/** One strategy; may be started again after a stop. */
export class TradingEngine {
  readonly #options: EngineOptions;
  readonly #open = new Map<string, Order>();
  #next: (() => void) | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#next !== undefined;
  }

  get openOrders(): number {
    return this.#open.size;
  }

  start(): void {
    if (this.running) return;
    this.#next = this.#options.clock.after(FIRST_ORDER_MS, () => {
      this.#later();
      this.order('BUY', 'MARKET', 0.5);
    });
  }

  /** Ends trading. With `cancel`, open orders are cancelled; without, they are out of view. */
  stop({ cancel }: { readonly cancel: boolean }): void {
    this.#next?.();
    this.#next = undefined;
    for (const order of [...this.#open.values()]) {
      this.#forget(order);
      if (cancel) this.#options.onEvent('OrderCancelled', { order_id: order.id, exchange_order_id: null });
    }
  }

  /** Places an order. */
  order(side: 'BUY' | 'SELL', kind: 'MARKET' | 'LIMIT', amount: number): void {
    const { clock, random, account, onEvent } = this.#options;
    const spread = (side === 'BUY' ? -1 : 1) * random.between(0.001, 0.004);
    const price = round(account.walk() * (1 + spread), 2);
    const id = `${side.toLowerCase()}://${account.pair}/${random.hex(26)}`;
    const order: Order = { id, side, kind, amount, price, filled: 0, spent: 0, cancelTimer: () => {} };
    this.#open.set(id, order);
    onEvent(side === 'BUY' ? 'BuyOrderCreated' : 'SellOrderCreated', {
      type: `OrderType.${kind}`,
      trading_pair: account.pair,
      amount,
      // A paper exchange's market orders have no price yet; a real connector would say NaN.
      price: kind === 'MARKET' ? 0 : price,
      order_id: id,
      creation_timestamp: Math.floor(clock.now() / 1_000),
      exchange_order_id: null,
      leverage: 1,
      position: 'NIL',
    });
    const [min, max] = kind === 'MARKET' ? MARKET_FILL_MS : LIMIT_FILL_MS;
    order.cancelTimer = clock.after(random.between(min, max), () => this.#settle(order));
  }

  #later(): void {
    const { clock, random, account } = this.#options;
    this.#next = clock.after(random.between(...ORDERS_MS), () => {
      this.#later();
      const amount = round(random.between(0.05, 0.5), 2);
      this.order(account.side(amount), random.chance(0.3) ? 'MARKET' : 'LIMIT', amount);
    });
  }

  /** Most orders are filled, some in two parts; some limit orders are cancelled, a few fail. */
  #settle(order: Order): void {
    const { clock, random, onEvent } = this.#options;
    const fate = order.kind === 'MARKET' ? 0 : random.next();
    if (fate > 0.96) {
      this.#forget(order);
      const type = `OrderType.${order.kind}` as const;
      onEvent('OrderFailure', {
        order_id: order.id,
        order_type: type,
        error_message: null,
        error_type: null,
      });
    } else if (fate > 0.86) {
      this.#forget(order);
      onEvent('OrderCancelled', { order_id: order.id, exchange_order_id: null });
    } else if (fate > 0.7 && order.filled === 0) {
      this.#fill(order, round(order.amount / 2, 4));
      order.cancelTimer = clock.after(random.between(...LIMIT_FILL_MS), () => this.#complete(order));
    } else {
      this.#complete(order);
    }
  }

  #complete(order: Order): void {
    const { account, onEvent } = this.#options;
    this.#fill(order, round(order.amount - order.filled, 4));
    this.#forget(order);
    onEvent(order.side === 'BUY' ? 'BuyOrderCompleted' : 'SellOrderCompleted', {
      order_id: order.id,
      base_asset: account.market.base,
      quote_asset: account.market.quote,
      base_asset_amount: order.filled,
      quote_asset_amount: order.spent,
      order_type: `OrderType.${order.kind}`,
      exchange_order_id: null,
    });
  }

  #fill(order: Order, amount: number): void {
    const { clock, account, onEvent } = this.#options;
    const tradeId = `${order.id}_${order.filled === 0 ? 0 : 1}`;
    account.fill({ side: order.side, amount, price: order.price, tradeId, at: clock.now() });
    order.filled = round(order.filled + amount, 4);
    order.spent = round(order.spent + amount * order.price, 6);
    onEvent('OrderFilled', {
      order_id: order.id,
      trading_pair: account.pair,
      trade_type: `TradeType.${order.side}`,
      order_type: `OrderType.${order.kind}`,
      price: order.price,
      amount,
      trade_fee: { fee_type: 'AddedToCost', percent: account.market.fee, percent_token: null, flat_fees: [] },
      exchange_trade_id: tradeId,
      exchange_order_id: '',
      leverage: 1,
      position: 'NIL',
    });
  }

  #forget(order: Order): void {
    order.cancelTimer();
    this.#open.delete(order.id);
  }
}
