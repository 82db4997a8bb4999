/** Events of liquidity positions (AMM and CLMM connectors). */
import * as z from 'zod';
import { decimal, exactInteger, idText } from '../wire.js';
import { eventOf, exchangeOrderId, feeB, lpType } from './parts.js';

export const rangePositionLiquidityAdded = eventOf('RangePositionLiquidityAdded', {
  order_id: idText,
  exchange_order_id: exchangeOrderId,
  trading_pair: z.string(),
  lower_price: decimal,
  upper_price: decimal,
  amount: decimal,
  fee_tier: idText,
  creation_timestamp: decimal,
  trade_fee: feeB,
  token_id: exactInteger.nullable(),
  /** This and the following: newer bots (2.18 writes them, the recorded snapshot of 2.13 does not). */
  position_address: z.string().nullish(),
  mid_price: decimal.nullish(),
  base_amount: decimal.nullish(),
  quote_amount: decimal.nullish(),
  position_rent: decimal.nullish(),
});

export const rangePositionLiquidityRemoved = eventOf('RangePositionLiquidityRemoved', {
  order_id: idText,
  exchange_order_id: exchangeOrderId,
  trading_pair: z.string(),
  token_id: idText,
  trade_fee: feeB,
  creation_timestamp: decimal,
  /** This and the following: newer bots, as above. */
  position_address: z.string().nullish(),
  lower_price: decimal.nullish(),
  upper_price: decimal.nullish(),
  mid_price: decimal.nullish(),
  base_amount: decimal.nullish(),
  quote_amount: decimal.nullish(),
  base_fee: decimal.nullish(),
  quote_fee: decimal.nullish(),
  position_rent_refunded: decimal.nullish(),
});

export const rangePositionUpdateFailure = eventOf('RangePositionUpdateFailure', {
  order_id: idText,
  order_action: lpType,
});

/** 1.12 to 2.12 only. */
export const rangePositionUpdate = eventOf('RangePositionUpdate', {
  order_id: idText,
  exchange_order_id: exchangeOrderId,
  order_action: lpType,
  trading_pair: z.string(),
  fee_tier: idText,
  lower_price: decimal,
  upper_price: decimal,
  amount: decimal,
  creation_timestamp: decimal,
  token_id: exactInteger.nullable(),
});

/** 1.12 to 2.12 only. */
export const rangePositionFeeCollected = eventOf('RangePositionFeeCollected', {
  order_id: idText,
  exchange_order_id: exchangeOrderId,
  trading_pair: z.string(),
  trade_fee: feeB,
  creation_timestamp: decimal,
  token_id: exactInteger.nullable(),
});

/** 1.12 to 2.12 only. */
export const rangePositionClosed = eventOf('RangePositionClosed', {
  token_id: exactInteger,
  token_0: z.string(),
  token_1: z.string(),
  claimed_fee_0: decimal,
  claimed_fee_1: decimal,
});
