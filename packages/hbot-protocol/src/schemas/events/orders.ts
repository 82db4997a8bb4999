/** Events of an order's life, as Hummingbot 1.14 to 2.18 forwards them. Amounts were `Decimal`s: precision is that of a double. */
import * as z from 'zod';
import { decimal, finite, idText } from '../wire.js';
import { eventOf, exchangeOrderId, feeA, orderType, position, tradeType } from './parts.js';

const created = {
  type: orderType,
  trading_pair: z.string(),
  amount: decimal,
  /** `NaN` for market orders (0 on paper exchanges). */
  price: decimal,
  order_id: idText,
  /** Seconds since 1970, with a fraction. */
  creation_timestamp: decimal,
  exchange_order_id: exchangeOrderId,
  leverage: finite.nullable(),
  position,
};

const completed = {
  order_id: idText,
  base_asset: z.string(),
  quote_asset: z.string(),
  base_asset_amount: decimal,
  quote_asset_amount: decimal,
  order_type: orderType,
  exchange_order_id: exchangeOrderId,
};

export const buyOrderCreated = eventOf('BuyOrderCreated', created);
export const sellOrderCreated = eventOf('SellOrderCreated', created);
export const buyOrderCompleted = eventOf('BuyOrderCompleted', completed);
export const sellOrderCompleted = eventOf('SellOrderCompleted', completed);

export const orderFilled = eventOf('OrderFilled', {
  order_id: idText,
  trading_pair: z.string(),
  trade_type: tradeType,
  order_type: orderType,
  price: decimal,
  amount: decimal,
  trade_fee: feeA,
  exchange_trade_id: idText,
  /** Absent in 1.12 and 1.13; `""` on paper exchanges. */
  exchange_order_id: exchangeOrderId.optional(),
  leverage: finite.nullable(),
  position,
});

export const orderCancelled = eventOf('OrderCancelled', {
  order_id: idText,
  exchange_order_id: exchangeOrderId,
});
export const orderExpired = eventOf('OrderExpired', { order_id: idText });

export const orderFailure = eventOf('OrderFailure', {
  order_id: idText,
  order_type: orderType,
  /** 2.7.0 and later. */
  error_message: z.string().nullish(),
  /** 2.7.0 and later. */
  error_type: z.string().nullish(),
});

/** The only event that names its market. */
export const fundingPaymentCompleted = eventOf('FundingPaymentCompleted', {
  market: z.string(),
  trading_pair: z.string(),
  /** Negative when paid. */
  amount: decimal,
  funding_rate: decimal,
});
