/** What is sent: an order event of some 200 bytes, and the receipt that answers it. Built anew for each message. */
import { z } from 'zod';

export const orderSchema = z.object({
  seq: z.int(),
  event: z.string(),
  order_id: z.string(),
  trading_pair: z.string(),
  side: z.enum(['buy', 'sell']),
  price: z.number(),
  amount: z.number(),
  fee: z.number(),
  timestamp: z.int(),
  final: z.boolean(),
});
export type Order = z.infer<typeof orderSchema>;

export const receiptSchema = z.object({
  seq: z.int(),
  status: z.int(),
  order_id: z.string(),
  exchange: z.string(),
  filled: z.number(),
  average_price: z.number(),
  remaining: z.number(),
  timestamp: z.int(),
  message: z.string(),
});
export type Receipt = z.infer<typeof receiptSchema>;

export function makeOrder(seq: number): Order {
  return {
    seq,
    event: 'order_filled',
    order_id: `buy://BTC-USDT/5ef7a1b20c4d${seq}`,
    trading_pair: 'BTC-USDT',
    side: 'buy',
    price: 64_000 + (seq % 1000) / 2,
    amount: 0.0125,
    fee: 0.00051,
    timestamp: 1_795_396_437_000 + seq,
    final: true,
  };
}

/** What every service answers. */
export function makeReceipt(order: Order): Receipt {
  return {
    seq: order.seq,
    status: 200,
    order_id: order.order_id,
    exchange: 'binance_perpetual_testnet',
    filled: order.amount,
    average_price: order.price,
    remaining: 0,
    timestamp: order.timestamp + 1,
    message: 'filled at the best price there was',
  };
}
