import { type ActionPlan, message, probe } from './plan.js';

/** What is done with a running strategy, in this order: the later ones need what the earlier ones left. */
export const runningActions: readonly ActionPlan[] = [
  message('event empty', 'external/event/interop/empty', {}, ['probe/seen ']),
  message(
    'event full',
    'external/event/interop/a/b',
    { timestamp: 5, sequence: 7, type: 'mine', data: { n: 1 } },
    ['probe/seen '],
  ),
  message('event numbers as strings', 'external/event/interop/strings', { timestamp: '5', sequence: '7' }, [
    'probe/seen ',
  ]),
  message(
    'event negative timestamp',
    'external/event/interop/negative',
    { timestamp: -1, data: { minus: -1 } },
    ['probe/seen '],
  ),
  message(
    'event nulls',
    'external/event/interop/nulls',
    { timestamp: null, sequence: null, type: null, data: null },
    ['probe/seen '],
  ),
  message('event unknown keys', 'external/event/interop/unknown', { nonsense: 1, data: {} }, ['probe/seen ']),
  message(
    'event odd values',
    'external/event/interop/odd',
    '{"data":{"nan":NaN,"minus":-1,"half":-0.5,"big":9007199254740993,"whole":2.0,"path":"a/b","euro":"€","on":true,"none":null,"list":[-3]}}',
    ['probe/seen '],
  ),
  message('event name with a segment ending in event', 'external/event/my-event/x', {}, ['probe/seen ']),
  message('event wrong types', 'external/event/interop/wrong', { timestamp: 'now', data: 5 }),
  message('event array', 'external/event/interop/array', [1]),
  message('event not JSON', 'external/event/interop/text', 'not json'),

  message('script topic', 'probe/in', { x: 1, minus: -1 }, ['probe/seen ']),
  message('script topic array', 'probe/in', [1, 'a/b'], ['probe/seen ']),
  message('script topic with a dot', 'probe.dotted/in', { x: 1 }),
  message('script topic with a slash for the dot', 'probe/dotted/in', { x: 1 }),
  probe('publish', 'publish', { topic: 'interop/out', msg: { a: 1 } }, ['interop/out ']),
  probe('publish with a dot', 'publish', { topic: 'interop.dotted/out', msg: { a: 1 } }, ['dotted/out ']),
  probe('publish outside the prefix', 'publish', { topic: 'interop-out', prefix: false, msg: { a: 1 } }, [
    'interop-out ',
  ]),

  probe('log info', 'log', { level: 20, msg: 'hello/€' }, ['log ']),
  probe('log warning', 'log', { level: 30, msg: 'hello' }, ['log ']),
  probe('log error', 'log', { level: 40, msg: 'hello' }, ['log ']),
  probe('log network', 'log', { level: 16, msg: 'hello' }, ['log ']),
  probe('log debug', 'log', { level: 10, msg: 'hello' }),
  probe('notify', 'notify', { msg: 'hello' }),
  probe('unknown action', 'nonsense', {}, ['log ']),

  probe('buy market', 'buy', { amount: '0.5' }, ['BuyOrderCreated', 'OrderFilled', 'BuyOrderCompleted']),
  probe('sell market', 'sell', { amount: '0.25' }, ['SellOrderCreated', 'OrderFilled', 'SellOrderCompleted']),
  probe('buy limit', 'buy', { amount: '0.1', price: '60' }, ['BuyOrderCreated']),
  probe('cancel', 'cancel', {}, ['OrderCancelled']),
  probe('buy limit to be filled', 'buy', { amount: '0.2', price: '70' }, ['BuyOrderCreated']),
  probe('trade', 'trade', { side: 'SELL', price: '65', amount: '1' }, ['OrderFilled', 'BuyOrderCompleted']),
  probe('sell limit that crosses', 'sell', { amount: '0.1', price: '90' }, [
    'SellOrderCreated',
    'OrderFilled',
    'SellOrderCompleted',
  ]),
  probe('executor', 'executor', { side: 'buy', amount: '0.4' }, [
    'BuyOrderCreated',
    'OrderFilled',
    'BuyOrderCompleted',
  ]),
  probe('buy market too large', 'buy', { amount: '1000000' }, ['OrderFailure']),
  probe('buy limit too large', 'buy', { amount: '1000000', price: '101' }, ['OrderCancelled']),

  probe('raise OrderExpired', 'raise', { event: 'OrderExpired' }, ['events ']),
  probe('raise OrderFailure', 'raise', { event: 'OrderFailure' }, ['events ']),
  probe('raise FundingPaymentCompleted', 'raise', { event: 'FundingPaymentCompleted' }, ['events ']),
  probe('raise RangePositionLiquidityAdded', 'raise', { event: 'RangePositionLiquidityAdded' }, ['events ']),
  probe('raise RangePositionLiquidityRemoved', 'raise', { event: 'RangePositionLiquidityRemoved' }, [
    'events ',
  ]),
  probe('raise RangePositionUpdateFailure', 'raise', { event: 'RangePositionUpdateFailure' }, ['events ']),
];

/** An order that stays open, before a stop. */
export const openOrder: ActionPlan = probe(
  'buy limit before the stop',
  'buy',
  { amount: '0.1', price: '60' },
  ['probe/seen ', 'BuyOrderCreated'],
);

/** The listeners of a stopped strategy live on. */
export const stoppedActions: readonly ActionPlan[] = [
  message('event', 'external/event/interop/empty', {}, ['probe/seen ']),
  message('script topic', 'probe/in', { x: 1 }, ['probe/seen ']),
  probe('log info', 'log', { level: 20, msg: 'hello' }, ['log ']),
];
