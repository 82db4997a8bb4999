/** Parts that several events share. */
import * as z from 'zod';
import { decimal, finite, idText, open, word } from '../wire.js';

/** `"OrderType.LIMIT"`: MARKET, LIMIT, LIMIT_MAKER, AMM_SWAP, and whatever newer versions add. */
export const orderType = z.templateLiteral(['OrderType.', z.string()]);
/** `"TradeType.BUY"`: BUY, SELL, RANGE. */
export const tradeType = z.templateLiteral(['TradeType.', z.string()]);
/** `"LPType.ADD"`: ADD, REMOVE, COLLECT. */
export const lpType = z.templateLiteral(['LPType.', z.string()]);
/** Of a derivative's order; `NIL` on spot markets. */
export const position = word('OPEN', 'CLOSE', 'NIL');

/** Fee of events that are named tuples in Hummingbot (`OrderFilled`): amounts are decimal text, and `fee_type` is there. */
export const feeA = open({
  fee_type: word('AddedToCost', 'DeductedFromReturns'),
  percent: z.string(),
  percent_token: z.string().nullable(),
  flat_fees: z.array(open({ token: z.string(), amount: z.string() })),
});

/** Fee of events that are dataclasses in Hummingbot (range positions): amounts are numbers, and there is no `fee_type`. */
export const feeB = open({
  percent: decimal,
  percent_token: z.string().nullable(),
  flat_fees: z.array(open({ token: z.string(), amount: decimal })),
});

/** See {@link feeA}. */
export type FeeA = z.output<typeof feeA>;
/** See {@link feeB}. */
export type FeeB = z.output<typeof feeB>;

/** An exchange's own id; `null` until it is known. */
export const exchangeOrderId = idText.nullable();

/** One event type: its name, and the fields of its `data`. `timestamp` is in whole seconds. */
export function eventOf<const Type extends string, Shape extends z.core.$ZodShape>(type: Type, data: Shape) {
  return open({ timestamp: finite, type: z.literal(type), data: open(data) });
}
