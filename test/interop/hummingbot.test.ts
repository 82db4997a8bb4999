import { Node, type Transport } from '@commlib/core';
import {
  type DiscoveredBot,
  discover,
  HbotClient,
  HbotCommandError,
  type HbotEvent,
  HbotNoReplyError,
} from '@commlib/hbot-protocol';
import { amqp } from '@commlib/transport-amqp';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn } from '../brokers/describe-on.js';
import { type BrokerName, startMosquitto } from '../brokers/index.js';
import { recordUse } from '../brokers/record.js';
import { sharedRabbitmq } from '../brokers/shared.js';
import { describePeer } from './describe-peer.js';
import { type Hummingbot, hummingbotEras, startHummingbot } from './hummingbot.js';
import { Matrix } from './matrix.js';

const commands = new Matrix(
  'What real Hummingbots answered to HbotClient (headless, wire_probe strategy, paper exchange)',
);
const streams = new Matrix('What real Hummingbots published to HbotClient');
afterAll(() => {
  commands.print();
  streams.print();
});

/** One command and the typed outcome it must become; `wire/hummingbot` facts, checked against the bots themselves here. */
interface Expected {
  readonly reason?: HbotCommandError['reason'];
  readonly status?: 200;
}

/** The way between bot and client. The bot always speaks MQTT. */
interface Way {
  readonly title: string;
  readonly broker: BrokerName;
  start(): Promise<{
    /** Where the bot goes, with the user and the password it takes. */
    readonly mqttUrl: string;
    /** Ours. */
    readonly transport: Transport;
    stop?(): Promise<void>;
  }>;
}

const ways: readonly Way[] = [
  {
    title: 'MQTT',
    broker: 'mosquitto',
    async start() {
      const broker = await startMosquitto({ own: true });
      return { mqttUrl: broker.url, transport: mqtt(broker.url), stop: () => broker.stop() };
    },
  },
  {
    title: 'AMQP',
    broker: 'rabbitmq',
    async start() {
      const { url, mqttUrl } = await sharedRabbitmq();
      return { mqttUrl, transport: amqp(url, { names: 'mqtt' }) };
    },
  },
];

for (const { era, title, broker: name, start } of hummingbotEras.flatMap((era) =>
  ways.map((way) => ({ era, ...way })),
)) {
  await describePeer(`hummingbot-${era}`, () => {
    describeOn(
      name,
      () => {
        let broker: Awaited<ReturnType<Way['start']>>;
        let node: Node;
        let bot: Hummingbot;
        let client: HbotClient;
        const id = `interop-${era.replace('.', '')}-${title.toLowerCase()}`;
        const column = `${era} over ${title}`;
        const seen = {
          statuses: [] as string[],
          logs: [] as string[],
          notifications: 0,
          events: [] as HbotEvent[],
        };

        beforeAll(async () => {
          broker = await start();
          node = await new Node({ transport: broker.transport }).start();
          client = await HbotClient.open(node, { id });
          await client.statusUpdates(({ type, msg }) => void seen.statuses.push(`${type} ${msg}`));
          await client.logs(({ msg }) => void seen.logs.push(msg));
          await client.notifications(() => void seen.notifications++);
          await client.events((event) => void seen.events.push(event));
          const { port, username, password } = new URL(broker.mqttUrl);
          const login = username ? { user: username, password } : {};
          bot = await startHummingbot({ era, id, port: Number(port), ...login, strategy: true });
          await bot.ready();
          recordUse({ broker: 'hummingbot', version: era, source: 'PyPI' });
        });
        afterAll(async () => {
          await client?.close();
          await node?.close();
          await bot?.[Symbol.asyncDispose]();
          await broker?.stop?.();
        });

        /** Runs a command, writes the answer into the table, checks the outcome. */
        async function outcome<Reply extends { status: number; msg: string }>(
          what: string,
          call: Promise<Reply>,
          expected: Expected,
        ): Promise<Reply | undefined> {
          try {
            const reply = await call;
            const trades =
              'trades' in reply && Array.isArray(reply.trades) ? `, ${reply.trades.length} trades` : '';
            commands.set(what, column, `200${trades}`);
            expect.soft(expected.status, `${what} was accepted`).toBe(200);
            return reply;
          } catch (error) {
            if (!(error instanceof HbotCommandError)) throw error;
            commands.set(what, column, `400 ${error.reason}: ${error.msg}`);
            expect.soft({ what, reason: error.reason }).toEqual({ what, reason: expected.reason });
            return undefined;
          }
        }

        test('is discovered by its heartbeat', async () => {
          let found: DiscoveredBot | undefined;
          for await (found of discover(node, { timeoutMs: 40_000 })) break;
          expect(found).toMatchObject({ id, namespace: 'hbot', online: true });
          await expect.poll(() => client.presence.state, { timeout: 40_000 }).toBe('online');
          streams.set('heartbeat', column, String(client.presence.heartbeat?.ts));
          expect(client.presence.heartbeat?.sentAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
        }, 90_000);

        test('says online', async () => {
          await expect.poll(() => seen.statuses, { timeout: 15_000 }).toContain('availability online');
          streams.set('status_updates', column, seen.statuses.join(', '));
        });

        test('publishes its performance, every second', async () => {
          const reports = await client.performance();
          for await (const report of reports) {
            expect(Object.keys(report)).toEqual(['probe_1']);
            streams.set('performance', column, Object.keys(report.probe_1 ?? {}).join(', '));
            break;
          }
        });

        test('gets external events, and its script topics are read', async () => {
          const echoes = await client.scriptTopic('probe/seen', {
            schema: z.looseObject({ name: z.string(), data: z.unknown() }),
          });
          await client.sendExternalEvent('interop.note', { data: { minus: -1, text: 'a/b' } });
          for await (const echo of echoes) {
            if (echo.name !== 'interop.note') continue;
            // The bot writes negative integers as strings.
            expect(echo.data).toEqual({ minus: '-1', text: 'a/b' });
            streams.set('external/event, script topic', column, JSON.stringify(echo));
            break;
          }
        });

        test('forwards every type of event, typed', async () => {
          await client.sendExternalEvent('probe.buy', { data: { amount: '0.5' } });
          const raised = [
            'OrderExpired',
            'OrderFailure',
            'FundingPaymentCompleted',
            'RangePositionLiquidityAdded',
            'RangePositionLiquidityRemoved',
            'RangePositionUpdateFailure',
          ];
          for (const event of raised) await client.sendExternalEvent('probe.raise', { data: { event } });
          await client.sendExternalEvent('probe.buy', { data: { amount: '0.1', price: '60' } });
          await client.sendExternalEvent('probe.sell', { data: { amount: '0.2' } });
          const created = () => seen.events.filter(({ type }) => type === 'BuyOrderCreated').length;
          await expect.poll(created, { timeout: 15_000 }).toBe(2);
          await client.sendExternalEvent('probe.cancel', { data: {} });
          const wanted = [
            ...raised,
            'BuyOrderCreated',
            'BuyOrderCompleted',
            'OrderFilled',
            'OrderCancelled',
            'SellOrderCreated',
            'SellOrderCompleted',
          ];
          await expect
            .poll(() => new Set(seen.events.map(({ type }) => type)), { timeout: 20_000 })
            .toEqual(new Set(wanted));
          for (const type of wanted)
            streams.set(`events ${type}`, column, `${seen.events.filter((e) => e.type === type).length}`);
        }, 60_000);

        test('writes its log; what was meant for /notify is there', async () => {
          await client.sendExternalEvent('probe.notify', { data: { msg: 'a notice' } });
          await expect.poll(() => seen.logs, { timeout: 10_000 }).toContain('a notice');
          streams.set('log', column, `${seen.logs.length} lines`);
          streams.set('notify', column, `${seen.notifications} (silent since 2.4; the text came on log)`);
          expect(seen.notifications).toBe(0);
        });

        test('answers every command while its strategy runs, as the typed outcome it must become', async () => {
          await outcome('status', client.status(), { reason: 'unsupported-on-this-version' });
          await outcome('status async', client.status({ asyncBackend: true }), {
            reason: 'unsupported-on-this-version',
          });
          await outcome('config (list)', client.config(), { reason: 'unsupported-headless' });
          await outcome('config (set)', client.config([['mqtt_bridge.mqtt_autostart', 1]]), {
            reason: 'unsupported-on-this-version',
          });
          await outcome('config (invalid key)', client.config([['nope', 1]]), { reason: 'invalid-params' });
          await outcome('import', client.importStrategy('conf_liquidity_mining_1'), {
            reason: 'unsupported-headless',
          });
          await outcome('import (empty)', client.importStrategy(''), { reason: 'invalid-params' });
          await outcome(
            'balance/limit',
            client.balanceLimit({ exchange: 'kucoin', asset: 'USDT', amount: 100 }),
            { status: 200 },
          );
          await outcome(
            'balance/limit (remove)',
            client.balanceLimit({ exchange: 'kucoin', asset: 'USDT', amount: -1 }),
            { status: 200 },
          );
          await outcome('balance/paper', client.balancePaper({ asset: 'USDT', amount: 100 }), {
            status: 200,
          });
          const history = await outcome('history', client.history(), { status: 200 });
          expect(history?.trades.length).toBeGreaterThan(0);
          expect(history?.trades[0]).toMatchObject({ symbol: 'BTC-USDT', market: 'mock_paper_exchange' });
          await outcome('history async', client.history({ asyncBackend: true }), { status: 200 });
          await outcome('start (running)', client.start(), { reason: 'unsupported-on-this-version' });
          await outcome('stop', client.stop(), { status: 200 });
          await outcome('stop (stopped)', client.stop(), { status: 200 });
          await outcome('start (stopped)', client.start(), { reason: 'nothing-loaded' });
          await outcome(
            'start script',
            client.start({ script: 'wire_probe.py', conf: 'conf_wire_probe.yml' }),
            { reason: 'unsupported-on-this-version' },
          );
        }, 60_000);

        test('answers forty calls at once, each with its own answer', async () => {
          const replies = await Promise.all(
            Array.from({ length: 20 }, () => [
              client.history(),
              client.config([['nope', 1]]).catch((error: unknown) => error),
            ]).flat(),
          );
          expect(replies.filter((reply) => reply instanceof HbotCommandError).length).toBe(20);
          commands.set('40 calls at once', column, 'each its own answer');
        });

        test('has no shortcuts any more: no reply becomes an error that says why', async () => {
          const error = await client
            .commandShortcuts([['spreads', '1']], { timeoutMs: 1_000 })
            .catch((e: unknown) => e);
          expect(error).toBeInstanceOf(HbotNoReplyError);
          if (!(error instanceof HbotNoReplyError)) return;
          expect(error.heartbeatSeen).toBe(true);
          commands.set('command_shortcuts', column, `no reply: ${error.possibleReasons[0]}`);
        });

        test('gave no message that its schemas do not know', () => {
          expect(seen.events.filter(({ type }) => type === 'Unknown')).toEqual([]);
        });
      },
      { own: name === 'mosquitto' },
    );
  });
}
