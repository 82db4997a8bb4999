/** `performance` (1.28.0 and later): once a second, from strategies with controllers. Two shapes, read into one. */
import * as z from 'zod';
import { anyObject, decimal, finite, open, word } from './wire.js';

/** A position that a controller holds (2.3 and later). */
const positionSummary = open({
  connector_name: z.string().nullish(),
  trading_pair: z.string().nullish(),
  side: word('TradeType.BUY', 'TradeType.SELL').nullish(),
  amount: decimal.nullish(),
  volume_traded_quote: decimal.nullish(),
  breakeven_price: decimal.nullish(),
  unrealized_pnl_quote: decimal.nullish(),
  realized_pnl_quote: decimal.nullish(),
  cum_fees_quote: decimal.nullish(),
});

/** The figures of one controller. */
export const performanceReport = open({
  realized_pnl_quote: decimal,
  unrealized_pnl_quote: decimal.nullish(),
  unrealized_pnl_pct: decimal.nullish(),
  realized_pnl_pct: decimal.nullish(),
  global_pnl_quote: decimal.nullish(),
  global_pnl_pct: decimal.nullish(),
  volume_traded: decimal.nullish(),
  /** 1.28 to 2.5. */
  open_order_volume: decimal.nullish(),
  /** 1.28 to 2.5. */
  inventory_imbalance: decimal.nullish(),
  /** 2.3 and later. */
  positions_summary: z.array(positionSummary).nullish(),
  /** How often executors ended in which way: `{"CloseType.POSITION_HOLD": 1}`. */
  close_type_counts: z.record(z.string(), finite).nullish(),
});
/** See {@link performanceReport}. */
export type PerformanceReport = z.output<typeof performanceReport>;

/** What one controller reported. */
export interface ControllerPerformance {
  /** `null` when there is none: the strategy stopped, nothing has been traded yet, or it could not be read. */
  readonly performance: PerformanceReport | null;
  /** Whatever the controller says of itself (2.12 and later); negative integers in it are strings. */
  readonly custom_info: Readonly<Record<string, unknown>>;
  /** The strategy was stopped: every report is `{}` then. */
  readonly stopped: boolean;
  /** The report as it came, when it had none of the known shapes. */
  readonly unknown?: unknown;
}

/** By controller id. */
export type Performance = Readonly<Record<string, ControllerPerformance>>;
/** What a bot publishes: by controller id, the shape of 2.12 and later. */
export type PerformanceInput = Readonly<
  Record<
    string,
    | { readonly performance: Partial<PerformanceReport>; readonly custom_info: Record<string, unknown> }
    | Record<string, never>
  >
>;

const nested = open({ performance: anyObject, custom_info: anyObject.nullish() });

function readReport(report: unknown): ControllerPerformance {
  const none = { performance: null, custom_info: {}, stopped: false };
  const object = anyObject.safeParse(report);
  if (!object.success) return { ...none, unknown: report };
  if (Object.keys(object.data).length === 0) return { ...none, stopped: true };
  const shape = nested.safeParse(report);
  const figures = shape.success ? shape.data.performance : object.data;
  const custom_info = shape.success ? (shape.data.custom_info ?? {}) : {};
  if (Object.keys(figures).length === 0) return { ...none, custom_info };
  const read = performanceReport.safeParse(figures);
  return read.success
    ? { performance: read.data, custom_info, stopped: false }
    : { ...none, custom_info, unknown: report };
}

/**
 * Schema of the `performance` topic. Reads the flat shape of 1.28 to 2.11, the nested one of 2.12 and later, and the
 * empty reports after a stop.
 */
export const performance = z
  .custom<PerformanceInput>(
    (message) => anyObject.safeParse(message).success,
    'not an object of reports by controller',
  )
  .transform((reports): Performance => {
    const read: Record<string, ControllerPerformance> = {};
    for (const [controller, report] of Object.entries(reports)) read[controller] = readReport(report);
    return read;
  });
