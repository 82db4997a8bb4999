import { anything, CommlibError, literal, MemoryBroker, memory, Node, rpc, topic } from '@commlib/core';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import {
  type CommandName,
  type CommandReply,
  HbotClient,
  type HbotClientOptions,
  HbotCommandError,
  HbotNoReplyError,
} from '../index.js';

let broker: MemoryBroker;
let bot: Node;
let node: Node;
let client: HbotClient;

const connect = () => new Node({ transport: memory({ broker }) }).start();
const open = async (options: Partial<HbotClientOptions> = {}) => {
  client = await HbotClient.open(node, { id: 'b', timeoutMs: 2_000, ...options });
  return client;
};
/** A bot that answers one command with these words. */
const answer = (command: CommandName, reply: unknown, requests: unknown[] = []) =>
  bot.serve(rpc(literal(`hbot/b/${command}`), { request: anything, response: anything }), (data) => {
    requests.push(data);
    return reply;
  });

/** A bot that takes a command and never answers. */
const deaf = (command: CommandName, id = 'b') =>
  bot.serve(rpc(literal(`hbot/${id}/${command}`), { request: anything, response: anything }), () => {
    return new Promise(() => {});
  });

beforeEach(async () => {
  broker = new MemoryBroker();
  [bot, node] = await Promise.all([connect(), connect()]);
});
afterEach(async () => {
  await client.close();
  await Promise.all([bot.close({ deadlineMs: 50 }), node.close()]);
});

describe('what is sent', () => {
  it.each<[string, CommandName, (c: HbotClient) => Promise<unknown>, unknown]>([
    ['start waits for the work', 'start', (c) => c.start(), { async_backend: false }],
    [
      'start with everything',
      'start',
      (c) =>
        c.start({
          script: 's',
          conf: 'c.yml',
          v2Conf: 'v',
          logLevel: 'INFO',
          isQuickstart: true,
          asyncBackend: true,
        }),
      {
        log_level: 'INFO',
        script: 's',
        conf: 'c.yml',
        v2_conf: 'v',
        is_quickstart: true,
        async_backend: true,
      },
    ],
    ['stop waits for the work', 'stop', (c) => c.stop(), { async_backend: false }],
    [
      'stop that leaves the orders must be async, or the bot cancels them',
      'stop',
      (c) => c.stop({ skipOrderCancellation: true }),
      { skip_order_cancellation: true, async_backend: true },
    ],
    ['config lists', 'config', (c) => c.config(), { params: [] }],
    ['config sets pairs', 'config', (c) => c.config([['a.b', 1]]), { params: [['a.b', 1]] }],
    ['config sets an object', 'config', (c) => c.config({ 'a.b': null }), { params: [['a.b', null]] }],
    [
      'import takes the extension off, the bot puts it on',
      'import',
      (c) => c.importStrategy('x.yml'),
      { strategy: 'x' },
    ],
    ['status waits for its text', 'status', (c) => c.status(), { async_backend: false }],
    [
      'history waits for the trades',
      'history',
      (c) => c.history({ days: 2 }),
      { days: 2, async_backend: false },
    ],
    [
      'balance limit',
      'balance/limit',
      (c) => c.balanceLimit({ exchange: 'kucoin', asset: 'USDT', amount: -1 }),
      { exchange: 'kucoin', asset: 'USDT', amount: -1 },
    ],
    [
      'balance paper',
      'balance/paper',
      (c) => c.balancePaper({ asset: 'USDT', amount: 1 }),
      { asset: 'USDT', amount: 1 },
    ],
    [
      'shortcuts',
      'command_shortcuts',
      (c) => c.commandShortcuts([['spreads', '4']]),
      { params: [['spreads', '4']] },
    ],
  ])('%s', async (_, command, call, expected) => {
    const requests: unknown[] = [];
    await answer(command, { status: 200, msg: '' }, requests);
    await call(await open());
    expect(requests).toEqual([expected]);
  });

  it('a stop that contradicts itself is refused here, not misunderstood there', async () => {
    const requests: unknown[] = [];
    await answer('stop', { status: 200, msg: '' }, requests);
    await open();
    const stop = client.stop({ skipOrderCancellation: true, asyncBackend: false });
    await expect(stop).rejects.toThrow(/would cancel the orders/);
    expect(requests).toEqual([]);
  });

  it('data that a bot would not answer is never sent', async () => {
    const requests: unknown[] = [];
    await answer('history', { status: 200, msg: '', trades: [] }, requests);
    await open();
    await expect(client.history({ days: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_DATA' });
    expect(requests).toEqual([]);
  });

  it('answers come back under the namespace, or where one says', async () => {
    const replyTo: unknown[] = [];
    const contract = rpc(literal('desk/x/b/stop'), { request: anything, response: anything });
    await bot.serve(contract, (_, request) => {
      replyTo.push(request.header.reply_to);
      return { status: 200, msg: '' };
    });
    await (await open({ namespace: 'desk/x' })).stop();
    await client.close();
    await (await open({ namespace: 'desk/x', inboxPrefix: 'elsewhere' })).stop();
    expect(replyTo).toEqual([expect.stringMatching(/^desk\/x\/./), expect.stringMatching(/^elsewhere\/./)]);
  });
});

describe('a bot that says no', () => {
  it.each([
    ['Strategy check: Please import or create a strategy.', 'nothing-loaded'],
    ['The bot is already running - please run "stop" first', 'already-running'],
    ['No strategy is currently running!', 'not-running'],
    ['Empty strategy_name given!', 'invalid-params'],
    ["Invalid param key(s): ['nope']", 'invalid-params'],
    ["object of type 'NoneType' has no len()", 'invalid-params'],
    ["'>' not supported between instances of 'NoneType' and 'int'", 'invalid-params'],
    ["'NoneType' object has no attribute 'value'", 'invalid-params'],
    ['Hummingbot start command timed out after 30 seconds', 'timeout'],
    ["'HummingbotApplication' object has no attribute 'strategy'", 'unsupported-on-this-version'],
    ["'HummingbotApplication' object has no attribute '_strategy_config_map'", 'unsupported-on-this-version'],
    ["start_check() got an unexpected keyword argument 'script'", 'unsupported-on-this-version'],
    ["'NoneType' object has no attribute 'clear_input'", 'unsupported-headless'],
    ["'NoneType' object has no attribute 'get_new_session'", 'no-trades-yet'],
    ["[Errno 2] No such file or directory: '/x.yml.yml'", 'not-found'],
    ['the moon is full', 'other'],
  ])('%s: %s', async (msg, reason) => {
    await answer('start', { status: 400, msg });
    const error = await (await open()).start().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HbotCommandError);
    expect(error).toMatchObject({ code: 'COMMAND_REFUSED', command: 'start', status: 400, msg, reason });
    expect(CommlibError.is(error, 'COMMAND_REFUSED')).toBe(true);
  });

  it('the answer may be had without an error, and the error has the answer', async () => {
    const reply = { changes: [['tick_size', 1]], config: {}, status: 400, msg: "… '_strategy_config_map'" };
    await answer('config', reply);
    await open();
    expect(await client.request('config', { params: [['tick_size', 1]] })).toEqual(reply);
    const error = await client.config({ tick_size: 1 }).catch((e: unknown) => e);
    if (!(error instanceof HbotCommandError)) throw error;
    expect(error.reply).toEqual(reply);
    expectTypeOf<HbotCommandError<'config'>['reply']>().toEqualTypeOf<CommandReply<'config'>>();
  });
});

describe('a bot that says nothing', () => {
  const silence = async (call: Promise<unknown>): Promise<HbotNoReplyError> => {
    const error = await call.catch((e: unknown) => e);
    if (!(error instanceof HbotNoReplyError)) throw error;
    return error;
  };

  it('that is not there, as the broker says: nothing is waited for', async () => {
    const error = await silence((await open()).status({}));
    expect(error).toMatchObject({ code: 'NO_REPLY', cause: { code: 'NO_RECEIVER' } });
    expect(error.message).toContain('nobody at the broker takes it; none of its heartbeats was seen');
    expect(error.possibleReasons[0]).toContain('no bot of this id');
    await bot.publisher(topic(literal('hbot/b/hb'), anything)).publish({ ts: Date.now() * 1_000 });
    await expect.poll(() => client.presence.state).toBe('online');
    const busy = await silence(client.status({}));
    expect(busy.possibleReasons.join()).toMatch(/mqtt_commands.*reconnecting/);
  });

  it('that was never heard: it may not be there', async () => {
    await deaf('status');
    const error = await silence((await open()).status({}, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'NO_REPLY', command: 'status', timeoutMs: 50, heartbeatSeen: false });
    expect(error.possibleReasons[0]).toContain('no bot of this id');
    expect(error.cause).toMatchObject({ code: 'TIMEOUT' });
  });

  it('that sends heartbeats: it takes no commands, or is still at work', async () => {
    await Promise.all([deaf('start'), deaf('command_shortcuts'), open()]);
    await bot.publisher(topic(literal('hbot/b/hb'), anything)).publish({ ts: Date.now() * 1_000 });
    await expect.poll(() => client.presence.state).toBe('online');
    const error = await silence(client.start({}, { timeoutMs: 50 }));
    expect(error.heartbeatSeen).toBe(true);
    expect(error.possibleReasons.join()).toMatch(/still at work.*mqtt_commands/);
    const shortcuts = await silence(client.commandShortcuts([], { timeoutMs: 50 }));
    expect(shortcuts.possibleReasons[0]).toContain('2.7.0');
  });

  it('may be given up on', async () => {
    const abort = new AbortController();
    const call = (await open()).status({}, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('a client that is closed', () => {
  it('ends the commands in flight and refuses later ones, on a node that lives on', async () => {
    await Promise.all([deaf('stop'), deaf('history'), open()]);
    const calls = [client.stop(), client.history()];
    const waiting = await HbotClient.open(node, { id: 'dotted.id' });
    calls.push(waiting.stop());
    await Promise.all([client.close(), waiting.close()]);
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.stop()).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(client.sendExternalEvent('x')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(node.status.state).toBe('ready');
  });

  it('a wait for a dotted bot may be given up, too', async () => {
    const abort = new AbortController();
    await open({ id: 'dotted.id' });
    const call = client.stop({}, { signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(client.stop({}, { signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('secrets', () => {
  const config = {
    client: {
      instance_id: 'b',
      mqtt_bridge: { mqtt_username: 'me', mqtt_password: 'hunter2', mqtt_port: 1883 },
      gateway: { api_key: 'k', gateway_api_host: 'localhost' },
      global_token: { global_token_name: 'USDT' },
      db: 'postgres://me:hunter2@db/trades',
      proxies: ['use http://me:hunter2@p/, then http://me:x@hunter2@q'],
    },
    strategy: { telegram_token: 't', secret_note: '' },
  };

  it('in a configuration are not shown', async () => {
    await answer('config', {
      changes: [['mqtt_bridge.mqtt_password', 'hunter2']],
      config,
      status: 200,
      msg: '',
    });
    const reply = await (await open()).config();
    expect(JSON.stringify(reply)).not.toContain('hunter2');
    expect(reply).toMatchObject({
      changes: [['mqtt_bridge.mqtt_password', '[redacted]']],
      config: {
        client: {
          instance_id: 'b',
          mqtt_bridge: { mqtt_username: 'me', mqtt_password: '[redacted]', mqtt_port: 1883 },
          gateway: { api_key: '[redacted]', gateway_api_host: 'localhost' },
          global_token: { global_token_name: 'USDT' },
          db: 'postgres://[redacted]@db/trades',
          proxies: ['use http://[redacted]@p/, then http://[redacted]@q'],
        },
        strategy: { telegram_token: '[redacted]', secret_note: '' },
      },
    });
  });

  it('nor in the error of a refused one, nor by request()', async () => {
    await answer('config', { changes: [['mqtt_password', 'hunter2']], config, status: 400, msg: 'no' });
    await open();
    const error = await client.config({ mqtt_password: 'hunter2' }).catch((e: unknown) => e);
    if (!(error instanceof HbotCommandError)) throw error;
    expect(JSON.stringify([error.reply, error.message, error.context])).not.toContain('hunter2');
    expect(JSON.stringify(await client.request('config', {}))).not.toContain('hunter2');
  });

  it('are shown to those who ask for them', async () => {
    await answer('config', { changes: [], config, status: 200, msg: '' });
    const reply = await (await open({ revealSecrets: true })).config();
    expect(reply.config).toEqual(config);
  });
});
