import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  type CommandReply,
  type CommandRequest,
  commands,
  type ServedRequest,
  type Trade,
} from '../../index.js';

const accepts = (command: keyof typeof commands, data: unknown) =>
  commands[command].request.safeParse(data).success;
const serves = (command: keyof typeof commands, data: unknown) => commands[command].served.safeParse(data);

describe('requests', () => {
  it('what a real bot would not answer is not sent', () => {
    expect(accepts('start', { script: 5 })).toBe(false);
    expect(accepts('start', { async_backend: 'perhaps' })).toBe(false);
    expect(accepts('start', { sript: 'misspelt' })).toBe(false);
    expect(accepts('config', { params: { tick_size: 1 } })).toBe(false);
    expect(accepts('config', { params: [['tick_size']] })).toBe(false);
    expect(accepts('import', {})).toBe(false);
    expect(accepts('history', { precision: 1.5 })).toBe(false);
    expect(accepts('history', { days: Number.NaN })).toBe(false);
    expect(accepts('balance/paper', { asset: 'USDT' })).toBe(false);
  });

  it('every field may be left out or null where the bot lets it', () => {
    for (const command of ['start', 'stop', 'config', 'status', 'history', 'command_shortcuts'] as const) {
      expect(accepts(command, {}), command).toBe(true);
    }
    expect(accepts('start', { script: null, conf: null, v2_conf: 'x.yml', async_backend: null })).toBe(true);
    expect(accepts('balance/limit', { exchange: 'kucoin', asset: 'USDT', amount: -1 })).toBe(true);
  });

  it('a bot reads strings for numbers and booleans, and fills in its defaults', () => {
    expect(serves('stop', { async_backend: 'no', nonsense: 1 }).data).toEqual({
      skip_order_cancellation: false,
      async_backend: false,
    });
    expect(serves('history', { days: '1.5', precision: '2', verbose: 1 }).data).toEqual({
      days: 1.5,
      precision: 2,
      verbose: true,
      async_backend: true,
    });
    expect(serves('start', { log_level: 10 }).success).toBe(false);
    expect(serves('history', { days: 'many' }).success).toBe(false);
    expect(serves('history', { precision: 1.5 }).success).toBe(false);
  });
});

describe('replies', () => {
  it('missing or null fields read as their empty values', () => {
    expect(commands.history.reply.parse({ status: 200, msg: null })).toEqual({
      status: 200,
      msg: '',
      trades: [],
    });
    expect(commands.config.reply.parse({ changes: [], status: 200, msg: '' })).toEqual({
      changes: [],
      config: {},
      status: 200,
      msg: '',
    });
    expect(commands['balance/limit'].reply.parse({ status: 200, msg: '', data: null }).data).toBeNull();
  });

  it('types: status and message everywhere, trades with decimal text', () => {
    expectTypeOf<CommandReply<'start'>>().toEqualTypeOf<{ status: number; msg: string }>();
    expectTypeOf<Trade['price']>().toBeString();
    expectTypeOf<CommandReply<'config'>['changes']>().toEqualTypeOf<[string, unknown][]>();
    expectTypeOf<CommandRequest<'import'>>().toEqualTypeOf<{ strategy: string }>();
    expectTypeOf<ServedRequest<'stop'>>().toEqualTypeOf<{
      skip_order_cancellation: boolean | null;
      async_backend: boolean | null;
    }>();
  });
});
