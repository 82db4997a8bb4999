/** `history`: the trades of the strategy that is loaded. */
import * as z from 'zod';
import { finite, idText, open, word } from '../wire.js';
import { lenientBoolean, lenientInteger, lenientNumber } from './lenient.js';
import { message, statusCode } from './replies.js';

/** Request of `history`. `days` of 0 or less: since the bot's process started, not "all"; null: 400 while a strategy runs. */
export const historyRequest = z.strictObject({
  days: z.number().nullable().optional(),
  verbose: z.boolean().nullable().optional(),
  precision: z.number().int().nullable().optional(),
  async_backend: z.boolean().nullable().optional(),
});

export const historyServed = z.object({
  days: lenientNumber.nullable().default(0),
  verbose: lenientBoolean.nullable().default(false),
  precision: lenientInteger.nullable().default(null),
  async_backend: lenientBoolean.nullable().default(true),
});

/** A fee as trades carry it: amounts are decimal text. */
export const tradeFee = open({
  fee_type: word('AddedToCost', 'DeductedFromReturns').optional(),
  percent: idText,
  percent_token: z.string().nullable(),
  flat_fees: z.array(open({ token: z.string(), amount: idText })),
});

/** A trade. Prices and quantities are decimal text in numpy's form (`"70."`), exact to six places. */
export const trade = open({
  market: z.string(),
  trade_id: idText,
  price: idText,
  quantity: idText,
  /** BASE-QUOTE. */
  symbol: z.string(),
  /** Milliseconds since 1970. */
  trade_timestamp: finite,
  trade_type: word('BUY', 'SELL'),
  base_asset: z.string().nullish(),
  quote_asset: z.string().nullish(),
  raw_json: open({ trade_fee: tradeFee.nullish() }).nullish(),
});

/** `trades` is filled only when the request said `async_backend: false`. */
export const historyReply = open({
  status: statusCode,
  msg: message,
  trades: z
    .array(trade)
    .nullish()
    .transform((trades) => trades ?? []),
});
