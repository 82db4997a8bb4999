/** What the simulated strategy reports about itself: `performance`, and texts for people. */
import type { PerformanceInput, PerformanceReport } from '../schemas/performance.js';
import type { Account } from './account.js';
import { round } from './numbers.js';
import type { Simulation } from './simulation.js';

/** The id of the one controller. */
export const CONTROLLER = 'simulated_1';

/** The figures of the controller. */
function figures(account: Account): PerformanceReport {
  const { pnl, pnlPct, volume } = account.totals;
  return {
    realized_pnl_quote: 0,
    unrealized_pnl_quote: pnl,
    unrealized_pnl_pct: pnlPct,
    realized_pnl_pct: 0,
    global_pnl_quote: pnl,
    global_pnl_pct: pnlPct,
    volume_traded: volume,
  };
}

/** The shape of 1.28 to 2.11. */
export function flatPerformance(account: Account): Record<string, PerformanceReport> {
  const report = { ...figures(account), open_order_volume: 0, inventory_imbalance: 0, close_type_counts: {} };
  return { [CONTROLLER]: report };
}

/** The shape of 2.12 and later. */
export function nestedPerformance(account: Account): PerformanceInput {
  const { position, price, fees, volume, pnl } = account.totals;
  const held = {
    connector_name: account.market.name,
    trading_pair: account.pair,
    volume_traded_quote: volume,
    side: position < 0 ? 'TradeType.SELL' : 'TradeType.BUY',
    amount: Math.abs(position),
    breakeven_price: price,
    unrealized_pnl_quote: pnl,
    realized_pnl_quote: 0,
    cum_fees_quote: fees,
  };
  const performance = {
    ...figures(account),
    positions_summary: volume === 0 ? [] : [held],
    close_type_counts: {},
  };
  return { [CONTROLLER]: { performance, custom_info: { note: 'simulated', open: true } } };
}

/** Every report is empty when the strategy has stopped. */
export const stoppedPerformance: PerformanceInput = { [CONTROLLER]: {} };

/** The text of `status`. */
export function statusText({ account, engine, strategy, state, clock, bootedAt }: Simulation): string {
  const { base, quote, price } = account.totals;
  return [
    `Strategy: ${strategy ?? 'simulated'} (${state})`,
    `Uptime: ${Math.floor((clock.now() - bootedAt) / 1_000)} s`,
    `Market: ${account.market.name} ${account.pair}, mid price ${price}`,
    `Balances: ${base} ${account.market.base}, ${quote} ${account.market.quote}`,
    `Open orders: ${engine.openOrders}`,
  ].join('\n');
}

/** The text of `history`. */
export function historyText({ account, bootedAt, clock }: Simulation): string {
  const { volume, fees, pnl, pnlPct } = account.totals;
  const { quote } = account.market;
  return [
    `\n${account.market.name} / ${account.pair}`,
    `Trades: ${account.trades(bootedAt).length} in ${Math.floor((clock.now() - bootedAt) / 1_000)} s`,
    `Volume: ${round(volume, 4)} ${quote}, fees paid: ${round(fees, 4)} ${quote}`,
    `Total P&L: ${round(pnl, 4)} ${quote} (${round(pnlPct, 2)} %)`,
  ].join('\n');
}
