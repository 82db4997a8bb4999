import { json } from '@commlib/core';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type ControllerPerformance,
  externalEvent,
  type Heartbeat,
  heartbeat,
  heartbeatTime,
  logRecord,
  mlSignal,
  notification,
  type PerformanceReport,
  performance,
  statusUpdate,
} from '../index.js';

const decode = (text: string) => json().decode(new TextEncoder().encode(text));

describe('streams as bots wrote them', () => {
  it('a heartbeat is in microseconds and half a second ahead', () => {
    const beat = heartbeat.parse(decode('{"ts":1795361164476891}'));
    expect(heartbeatTime(beat).toISOString()).toBe('2026-11-22T15:26:03.976Z');
    expectTypeOf<Heartbeat['ts']>().toEqualTypeOf<number | bigint>();
  });

  it('a heartbeat in nanoseconds is read, too', () => {
    const beat = heartbeat.parse(decode('{"ts":1795361164476891000}'));
    expect(typeof beat.ts).toBe('bigint');
    expect(heartbeatTime(beat).getUTCFullYear()).toBe(2026);
  });

  it('the timestamp of a notification is the string "-1", which is -1', () => {
    expect(notification.parse(decode('{"seq":0,"timestamp":"-1","msg":"hello"}'))).toEqual({
      seq: 0,
      timestamp: -1,
      msg: 'hello',
    });
  });

  it('status updates and logs are read as they are', () => {
    const status = decode('{"timestamp":1795361163976,"type":"availability","msg":"online"}');
    expect(statusUpdate.parse(status)).toEqual(status);
    const record = decode(
      '{"timestamp":1795361165.9678495,"msg":"a log line","level_no":30,"level_name":"WARNING","logger_name":"zzz"}',
    );
    expect(logRecord.parse(record)).toEqual(record);
  });

  it('what an external event leaves out gets its default', () => {
    expect(externalEvent.parse({})).toEqual({ timestamp: -1, sequence: 0, type: 'eevent', data: {} });
    expect(externalEvent.parse({ timestamp: '5' }).timestamp).toBe(5);
    expect(externalEvent.safeParse([1]).success).toBe(false);
  });

  it('a signal needs its three probabilities', () => {
    expect(mlSignal.safeParse({ probabilities: [0.1, 0.2, 0.7] }).success).toBe(true);
    expect(mlSignal.safeParse({ target_pct: 0.1 }).success).toBe(false);
  });
});

describe('performance', () => {
  const figures = '{"realized_pnl_quote":-1.5,"close_type_counts":{"CloseType.POSITION_HOLD":1}}';

  it('the nested shape of 2.12 and later', () => {
    const read = performance.parse(
      decode(`{"probe_1":{"performance":${figures},"custom_info":{"minus_one":"-1","none":null}}}`),
    );
    expect(read.probe_1).toMatchObject({
      stopped: false,
      performance: { realized_pnl_quote: -1.5, close_type_counts: { 'CloseType.POSITION_HOLD': 1 } },
      custom_info: { minus_one: '-1', none: null },
    });
    expectTypeOf(read).toEqualTypeOf<Readonly<Record<string, ControllerPerformance>>>();
    expectTypeOf<ControllerPerformance['performance']>().toEqualTypeOf<PerformanceReport | null>();
  });

  it('the flat shape of 1.28 to 2.11', () => {
    expect(performance.parse(decode(`{"main":${figures}}`)).main).toMatchObject({
      performance: { realized_pnl_quote: -1.5 },
      custom_info: {},
      stopped: false,
    });
  });

  it('the empty report after a stop, and a report without figures yet', () => {
    expect(performance.parse({ a: {}, b: { performance: {}, custom_info: { x: 1 } } })).toEqual({
      a: { performance: null, custom_info: {}, stopped: true },
      b: { performance: null, custom_info: { x: 1 }, stopped: false },
    });
  });

  it('a controller whose report cannot be read does not take the others with it', () => {
    const read = performance.parse({ odd: ['?'], main: { realized_pnl_quote: 1 } });
    expect(read.odd).toEqual({ performance: null, custom_info: {}, stopped: false, unknown: ['?'] });
    expect(read.main?.performance?.realized_pnl_quote).toBe(1);
    expect(performance.safeParse([1]).success).toBe(false);
  });
});
