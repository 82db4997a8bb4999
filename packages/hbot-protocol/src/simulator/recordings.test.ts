/**
 * The simulator against recordings of the real bots: whatever both were asked in the same state, both answer alike,
 * field by field and in the same order of fields.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Inbound, json, MemoryBroker, memory, Node } from '@commlib/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SimulatedBot, type SimulatorProfile } from '../index.js';

interface Step {
  readonly step: string;
  readonly when: 'idle' | 'running' | 'stopped';
  readonly command: string;
  readonly request: Record<string, unknown>;
  readonly reply: { readonly header: Record<string, unknown>; readonly data: Record<string, unknown> } | null;
  readonly published: readonly { readonly stream: string; readonly body: Record<string, unknown> }[];
}

const eras = ['2.13', '2.18'] as const;
const fileOf = (era: string) =>
  fileURLToPath(new URL(`../../../../test/interop/recordings/${era}-headless.json`, import.meta.url));
const codec = json();

/** What is asked in broken envelopes is core's business: our services answer or drop them by their own rules. */
const KEPT_ENVELOPES = ['full header', 'extra top-level keys', 'data missing'];
const isCompared = ({ step, command }: Step) =>
  !/with an open order|recent|verbose$/.test(step) &&
  command !== 'import_strategy' &&
  (!step.includes('envelope:') || KEPT_ENVELOPES.some((kind) => step.endsWith(kind)));

/** A simulated bot in one state, and a client that sends raw requests. */
class Bed {
  readonly #bot: SimulatedBot;
  readonly #node: Node;
  readonly logs: unknown[] = [];

  private constructor(bot: SimulatedBot, node: Node) {
    this.#bot = bot;
    this.#node = node;
  }

  static async make(profile: SimulatorProfile, when: Step['when']): Promise<Bed> {
    const broker = new MemoryBroker();
    const node = await new Node({ transport: memory({ broker }) }).start();
    const running = when !== 'idle';
    const bot = await SimulatedBot.start({
      id: 'real',
      profile,
      running,
      transport: () => memory({ broker }),
    });
    const bed = new Bed(bot, node);
    if (when === 'stopped')
      await bed.ask('stop', { header: { reply_to: '<reply_to>' }, data: { async_backend: false } });
    const deliver = ({ payload }: Inbound) => void bed.logs.push(codec.decode(payload));
    await node.transport.subscribe(
      'hbot/real/log',
      { delivery: 'at-most-once', maxInFlight: 1_000 },
      deliver,
    );
    return bed;
  }

  /** The answer, as it is on the wire. */
  async ask(command: string, request: Record<string, unknown>) {
    let answered: (reply: Inbound) => void = () => {};
    const answer = new Promise<Inbound>((resolve) => (answered = resolve));
    const inbox = await this.#node.transport.openInbox({ prefix: 'hbot' }, answered);
    const target = inbox.claim();
    const text =
      typeof request.text === 'string'
        ? request.text.replace('<reply_to>', target.replyTo)
        : JSON.stringify(request).replace('<reply_to>', target.replyTo);
    await inbox.send(`hbot/real/${command}`, new TextEncoder().encode(text), target);
    const reply = codec.decode((await answer).payload) as NonNullable<Step['reply']>;
    await inbox.close();
    return reply;
  }

  async close() {
    await this.#bot.close();
    await this.#node.close();
  }
}

/** Points in time are not compared. */
const timeless = (header: Record<string, unknown>) => ({ ...header, timestamp: typeof header.timestamp });
/** What a log line says, and how. */
const said = (record: Record<string, unknown>) => [record.level_name, record.msg, record.logger_name];

describe.each(eras)('the %s profile and the real bot', (era) => {
  const file = fileOf(era);
  if (!existsSync(file)) {
    it.skip(`no recording at ${file}: make it with the interop run`, () => {});
    return;
  }
  const steps: readonly Step[] = JSON.parse(readFileSync(file, 'utf8')).steps;

  describe.each(['idle', 'running', 'stopped'] as const)('%s', (when) => {
    let bed: Bed;
    beforeAll(async () => {
      bed = await Bed.make(era, when);
    });
    afterAll(() => bed.close());

    const answered = steps.filter((step) => step.when === when && isCompared(step) && step.reply !== null);
    const trades = (step: Step) => step.reply?.data.trades;
    const hasTrades = (step: Step) => Array.isArray(trades(step)) && (trades(step) as unknown[]).length > 0;

    it.each(answered.filter((step) => !hasTrades(step)).map((step) => [step.step, step] as const))(
      '%s',
      async (_, { command, request, reply, published }) => {
        bed.logs.length = 0;
        const got = await bed.ask(command, request);
        if (command === 'history' && when === 'running') got.data.trades = []; // It may have traded by now.
        // As text: the order of the fields counts.
        expect(JSON.stringify(got.data)).toBe(JSON.stringify(reply?.data));
        expect(timeless(got.header)).toEqual({ ...reply?.header, timestamp: 'number' });
        if (command === 'history' && when === 'running') return;
        const expected = published.filter(({ stream }) => stream === 'log').map(({ body }) => said(body));
        await expect
          .poll(() =>
            (bed.logs as Record<string, unknown>[])
              .map(said)
              .filter(([, msg]) => !/^Order /.test(String(msg))),
          )
          .toEqual(expected);
      },
    );

    it.each(answered.filter(hasTrades).map((step) => [step.step, step] as const))(
      '%s: trades have the same fields',
      async (_, step) => {
        const { command, request, reply } = step;
        const ask = async () => (await bed.ask(command, request)).data;
        await expect.poll(async () => ((await ask()).trades as unknown[]).length).toBeGreaterThan(0);
        const [real] = (trades(step) ?? []) as Record<string, unknown>[];
        const data = await ask();
        expect(Object.keys(data)).toEqual(Object.keys(reply?.data ?? {}));
        for (const trade of data.trades as Record<string, unknown>[]) {
          expect(shape(trade)).toEqual(shape({ ...real, trade_timestamp: 0 }));
          expect(trade.trade_id).toMatch(/^(buy|sell):\/\/BTC-USDT\/[0-9a-f]{26}_[01]$/);
          expect(trade.price).toMatch(/^\d+\.\d*$/);
        }
      },
    );

    const silent = steps.filter((step) => step.when === when && isCompared(step) && step.reply === null);
    it.each(
      silent
        .filter(({ command }) => command !== 'command_shortcuts')
        .map((step) => [step.step, step] as const),
    )('%s: no answer that a Python client would take for one', async (_, { command, request }) => {
      // The real bot is silent. Ours sends null data, which those clients ignore, with an error for ours.
      const { data, header } = await bed.ask(command, request);
      expect(data).toBeNull();
      expect(header.error).toHaveProperty('code');
    });
  });
});

/** Names and types, in order. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return 'array';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([key, item]) => [key, shape(item)]);
}
