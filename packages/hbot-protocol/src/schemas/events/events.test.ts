import { json } from '@commlib/core';
import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type EventOf,
  type FeeA,
  type HbotEvent,
  type KnownEventType,
  readEvent,
  type UnknownEvent,
} from '../../index.js';

/** Bytes as bots wrote them (2.16 and 2.18). */
const decode = (text: string) => json().decode(new TextEncoder().encode(text));
const read = (text: string) => readEvent(decode(text));

const captured: Record<string, string> = {
  BuyOrderCreated:
    '{"timestamp":1700000000,"type":"BuyOrderCreated","data":{"type":"OrderType.MARKET","trading_pair":"BTC-USDT","amount":1.5,"price":NaN,"order_id":"OID1","creation_timestamp":1699999999.5,"exchange_order_id":null,"leverage":1,"position":"NIL"}}',
  OrderFilled:
    '{"timestamp":1795396442,"type":"OrderFilled","data":{"order_id":"buy:\\/\\/BTC-USDT\\/e8f3ce7423a1efcf13e40c2165","trading_pair":"BTC-USDT","trade_type":"TradeType.BUY","order_type":"OrderType.MARKET","price":100.5,"amount":0.5,"trade_fee":{"fee_type":"AddedToCost","percent":"0.002","percent_token":null,"flat_fees":[{"token":"USDT","amount":"0.1"}]},"exchange_trade_id":"buy:\\/\\/BTC-USDT\\/e8f3ce7423a1efcf13e40c2165_0","exchange_order_id":"","leverage":1,"position":"NIL"}}',
  BuyOrderCompleted:
    '{"timestamp":1700000000,"type":"BuyOrderCompleted","data":{"order_id":"OID1","base_asset":"BTC","quote_asset":"USDT","base_asset_amount":1.5,"quote_asset_amount":150.15,"order_type":"OrderType.LIMIT","exchange_order_id":"E1"}}',
  OrderCancelled:
    '{"timestamp":1795396451,"type":"OrderCancelled","data":{"order_id":"buy:\\/\\/BTC-USDT\\/50cdc3d4a95d11c7b82d4794c9","exchange_order_id":null}}',
  OrderExpired: '{"timestamp":1700000000,"type":"OrderExpired","data":{"order_id":"OID1"}}',
  OrderFailure:
    '{"timestamp":1700000000,"type":"OrderFailure","data":{"order_id":"OID1","order_type":"OrderType.LIMIT","error_message":null,"error_type":null}}',
  FundingPaymentCompleted:
    '{"timestamp":1700000000,"type":"FundingPaymentCompleted","data":{"market":"binance_perpetual","trading_pair":"BTC-USDT","amount":-0.5,"funding_rate":-0.0001}}',
  RangePositionLiquidityAdded:
    '{"timestamp":1700000000,"type":"RangePositionLiquidityAdded","data":{"order_id":"OID-1","exchange_order_id":"0xhash","trading_pair":"BTC-USDT","lower_price":90.0,"upper_price":110.0,"amount":1.0,"fee_tier":"LOW","creation_timestamp":1700000000.0,"trade_fee":{"percent":0.001,"percent_token":null,"flat_fees":[{"token":"USDT","amount":0.1}]},"token_id":7,"position_address":"","mid_price":0.0,"base_amount":0.0,"quote_amount":0.0,"position_rent":0.0}}',
  RangePositionLiquidityRemoved:
    '{"timestamp":1700000000,"type":"RangePositionLiquidityRemoved","data":{"order_id":"OID-1","exchange_order_id":"0xhash","trading_pair":"BTC-USDT","token_id":"7","trade_fee":{"percent":0.001,"percent_token":null,"flat_fees":[]},"creation_timestamp":1700000000.0}}',
  RangePositionUpdateFailure:
    '{"timestamp":1700000000,"type":"RangePositionUpdateFailure","data":{"order_id":"OID1","order_action":"LPType.ADD"}}',
  RangePositionUpdate:
    '{"timestamp":1700000000,"type":"RangePositionUpdate","data":{"order_id":"O","exchange_order_id":"E","order_action":"LPType.ADD","trading_pair":"A-B","fee_tier":"LOW","lower_price":1.0,"upper_price":2.0,"amount":1.0,"creation_timestamp":1.0,"token_id":"-7"}}',
  RangePositionFeeCollected:
    '{"timestamp":1700000000,"type":"RangePositionFeeCollected","data":{"order_id":"O","exchange_order_id":"E","trading_pair":"A-B","trade_fee":{"percent":0.0,"percent_token":null,"flat_fees":[]},"creation_timestamp":1.0,"token_id":null}}',
  RangePositionClosed:
    '{"timestamp":1700000000,"type":"RangePositionClosed","data":{"token_id":7,"token_0":"A","token_1":"B","claimed_fee_0":0.5,"claimed_fee_1":0.0}}',
};
captured.SellOrderCreated = captured.BuyOrderCreated?.replace('BuyOrder', 'SellOrder') ?? '';
captured.SellOrderCompleted = captured.BuyOrderCompleted?.replace('BuyOrder', 'SellOrder') ?? '';

describe('events as bots wrote them', () => {
  it.each(Object.entries(captured))('%s is read whole', (type, text) => {
    const event = read(text);
    expect(event).toMatchObject({ type });
    expect(event).not.toHaveProperty('issues');
    // Nothing is lost or invented on the way, the tolerated string aside.
    if (type !== 'RangePositionUpdate') expect(event).toEqual(decode(text));
  });

  it('a market order may cost NaN', () => {
    const event = read(captured.BuyOrderCreated ?? '');
    if (event.type !== 'BuyOrderCreated') throw new Error(event.type);
    expect(event.data.price).toBeNaN();
  });

  it('negative integers that came as strings are numbers', () => {
    const event = read(captured.RangePositionUpdate ?? '');
    if (event.type !== 'RangePositionUpdate') throw new Error(event.type);
    expect(event.data.token_id).toBe(-7);
  });

  it('fields of a newer version pass through', () => {
    const event = read(
      '{"timestamp":1,"type":"OrderExpired","data":{"order_id":"a","since_2_19":true},"more":1}',
    );
    expect(event).toMatchObject({ type: 'OrderExpired', data: { since_2_19: true }, more: 1 });
  });

  it('an order id that is a number is text, and a huge token id keeps its digits', () => {
    const filled = captured.OrderFilled?.replace(
      /"exchange_trade_id":"[^"]*"/,
      '"exchange_trade_id":12345678901234567890',
    );
    const event = read(filled ?? '');
    if (event.type !== 'OrderFilled') throw new Error(event.type);
    expect(event.data.exchange_trade_id).toBe('12345678901234567890');
    const closed = read(
      (captured.RangePositionClosed ?? '').replace('"token_id":7', '"token_id":9007199254740993'),
    );
    expect(closed).toMatchObject({ type: 'RangePositionClosed', data: { token_id: 9007199254740993n } });
  });
});

describe('what is not known', () => {
  it('an unknown type is delivered as such, without complaint', () => {
    const event = read('{"timestamp":5,"type":"TeleportCompleted","data":{"to":"moon"}}');
    expect(event).toEqual({
      type: 'Unknown',
      wireType: 'TeleportCompleted',
      timestamp: 5,
      data: { to: 'moon' },
      issues: [],
    });
  });

  it('a known type with unexpected fields is never taken for the real one, and says what is wrong', () => {
    const event = read('{"timestamp":"-1","type":"OrderFilled","data":{"order_id":"a"}}');
    expect(event).toMatchObject({
      type: 'Unknown',
      wireType: 'OrderFilled',
      timestamp: -1,
      data: { order_id: 'a' },
    });
    expect((event as UnknownEvent).issues.map((issue) => issue.path)).toContain('data.trading_pair');
  });

  it('a timestamp that is none is -1, whatever it is instead', () => {
    for (const timestamp of [undefined, null, 'now', {}, { toString: '' }, [1], Number.NaN]) {
      expect(readEvent({ timestamp, type: 'OrderExpired', data: {} }).timestamp).toBe(-1);
    }
    expect(readEvent({ timestamp: '5', type: 'X' }).timestamp).toBe(5);
  });

  it('whatever comes is delivered', () => {
    fc.assert(
      fc.property(fc.anything(), (message) => {
        const event = readEvent(message);
        expect(typeof event.type).toBe('string');
        expect(typeof event.timestamp).toBe('number');
      }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(captured)),
        fc.jsonValue(),
        fc.jsonValue(),
        (type, timestamp, data) => {
          expect([type, 'Unknown']).toContain(readEvent({ timestamp, type, data }).type);
        },
      ),
    );
  });
});

describe('types', () => {
  it('a switch narrows to one event, and what is left is the unknown', () => {
    const describeEvent = (event: HbotEvent): string => {
      switch (event.type) {
        case 'OrderFilled':
          expectTypeOf(event).toEqualTypeOf<EventOf<'OrderFilled'>>();
          expectTypeOf(event.data.price).toBeNumber();
          expectTypeOf(event.data.trade_fee).toEqualTypeOf<FeeA>();
          expectTypeOf(event.data.exchange_order_id).toEqualTypeOf<string | null | undefined>();
          expectTypeOf(event.data.order_type).toEqualTypeOf<`OrderType.${string}`>();
          return event.data.order_id;
        case 'RangePositionLiquidityAdded':
          expectTypeOf(event.data.trade_fee.percent).toBeNumber();
          return event.data.trading_pair;
        case 'Unknown':
          expectTypeOf(event).toEqualTypeOf<UnknownEvent>();
          return event.wireType;
        default:
          expectTypeOf(event.type).toEqualTypeOf<
            Exclude<KnownEventType, 'OrderFilled' | 'RangePositionLiquidityAdded'>
          >();
          return event.type;
      }
    };
    expect(describeEvent(read('{"timestamp":1,"type":"X","data":{}}'))).toBe('X');
  });

  it('a misspelt field is an error, though unknown fields pass through', () => {
    expectTypeOf<EventOf<'OrderExpired'>['data']>().toEqualTypeOf<{ order_id: string }>();
  });
});
