import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startMosquitto } from '../../brokers/mosquitto.js';
import { pythonOf } from '../environments.js';
import type { HummingbotEra } from '../hummingbot.js';
import { openOrder, runningActions, stoppedActions } from './actions.js';
import { BotSession } from './bot-session.js';
import {
  idleCommands,
  importedCommands,
  runningCommands,
  stoppedCommands,
  stops,
  tradedCommands,
} from './commands.js';
import { type Action, type Json, parseBotJson, type Recording, type Step, type When } from './format.js';
import { normaliser } from './normalise.js';
import type { ActionPlan, CommandPlan } from './plan.js';
import { strategyFiles } from './strategy-files.js';

export interface RecordOptions {
  /** Which commands to send; default all. Actions and stops are always made. */
  only?: (step: Pick<Step, 'when' | 'step'>) => boolean;
  /** The recording that is made again: what it has is waited for. */
  kept?: Recording;
  /** Called with one line per part. */
  progress?: (line: string) => void;
}

/**
 * Runs real bots of an era and mode through all commands and actions, on a Mosquitto of their own, and returns what
 * they said. Takes six to eight minutes, most of it waiting for replies that never come.
 */
export function recordBot(
  era: HummingbotEra,
  mode: Recording['mode'],
  options: RecordOptions = {},
): Promise<Recording> {
  return new Recorder(era, mode, options).run();
}

class Recorder {
  readonly #recording: Recording;
  readonly #only: NonNullable<RecordOptions['only']>;
  readonly #kept: Recording | undefined;
  readonly #progress: (line: string) => void;
  readonly #era: HummingbotEra;
  readonly #ui: boolean;

  constructor(era: HummingbotEra, mode: Recording['mode'], { only, kept, progress }: RecordOptions) {
    this.#era = era;
    this.#ui = mode === 'ui';
    this.#only = only ?? (() => true);
    this.#kept = kept;
    this.#progress = (line) => progress?.(`${era} ${mode}: ${line}`);
    this.#recording = { era, mode, steps: [], actions: [], streams: {}, raw: {} };
  }

  async run(): Promise<Recording> {
    await this.#withBot('idle', {}, async (bot) => {
      await this.#logOfStart(bot, 'log of the start, nothing loaded');
      this.#raw('status_updates', await bot.latest('status_updates'));
      this.#raw('hb', await bot.latest('hb'));
      this.#raw('log', await bot.latest('log'));
      await this.#commands(bot, 'idle', idleCommands);
      const imported = this.#ui ? importedCommands : importedCommands.slice(0, 1); // headless, the import fails
      await this.#commands(bot, this.#ui ? 'imported' : 'idle', imported);
    });
    await this.#withBot('running', { strategy: true }, async (bot) => {
      await this.#logOfStart(bot, 'log of the start, with a strategy');
      this.#sample(bot, 'performance before any trade', await parsed(bot.next('performance')));
      await this.#commands(bot, 'running', runningCommands);
      await this.#actions(bot, 'running', runningActions);
      this.#raw('performance', await bot.next('performance'));
      this.#sample(bot, 'performance after the trades', await parsed(bot.next('performance')));
      await this.#commands(bot, 'running', tradedCommands);
      await this.#stop(bot, stops.sync);
      await this.#commands(bot, 'stopped', stoppedCommands);
      await this.#actions(bot, 'stopped', stoppedActions);
      this.#sample(bot, 'hb', await parsed(bot.latest('hb')));
      for (const stream of ['status_updates', 'notify']) this.#sample(bot, stream, said(bot, stream));
      this.#keepRaw(bot);
    });
    await this.#withBot('stop', { strategy: true }, (bot) => this.#stop(bot, stops.async));
    await this.#withBot('stop skip', { strategy: true }, (bot) => this.#stop(bot, stops.skip));
    if (!this.#ui) {
      await this.#withBot("vendor's order of start", { strategy: true, vendorOrder: true }, async (bot) => {
        const plan = {
          ...openOrder,
          step: "buy limit, vendor's order of start",
          until: ['probe/seen ', 'log '],
        };
        await this.#actions(bot, 'running', [plan]);
        await this.#commands(bot, 'running', [
          { ...stops.sync, step: `${stops.sync.step}, vendor's order of start` },
        ]);
      });
    }
    this.#recording.streams.events = this.#eventsByType();
    return this.#recording;
  }

  async #withBot(
    name: string,
    options: { strategy?: boolean; vendorOrder?: boolean },
    use: (bot: BotSession) => Promise<void>,
  ): Promise<void> {
    const begun = Date.now();
    const home = await mkdtemp(join(tmpdir(), 'hummingbot-recorded-'));
    try {
      await mkdir(join(home, 'conf', 'strategies'), { recursive: true });
      for (const [file, text] of Object.entries(strategyFiles)) {
        await writeFile(join(home, 'conf', 'strategies', file), text);
      }
      await using broker = await startMosquitto({ own: true });
      const environment = dirname(dirname(await pythonOf(`hummingbot-${this.#era}`)));
      const where = { era: this.#era, ui: this.#ui, id: 'real', port: broker.port, home };
      await using bot = await BotSession.start({ ...where, ...options }, environment);
      await use(bot);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
    this.#progress(`${name} (${Math.round((Date.now() - begun) / 1000)} s)`);
  }

  async #commands(bot: BotSession, when: When, plans: readonly CommandPlan[]): Promise<void> {
    for (const plan of plans) {
      if (!this.#only({ when, step: plan.step })) continue;
      const kept = this.#kept?.steps.find((step) => step.when === when && step.step === plan.step);
      this.#recording.steps.push(await bot.command(when, plan, kept));
    }
  }

  async #actions(bot: BotSession, when: When, plans: readonly ActionPlan[]): Promise<void> {
    for (const plan of plans) {
      const kept = this.#kept?.actions.find((action) => action.when === when && action.step === plan.step);
      this.#recording.actions.push(await bot.action(when, plan, kept));
    }
  }

  async #logOfStart(bot: BotSession, name: string): Promise<void> {
    const kept = this.#kept?.streams[name];
    if (Array.isArray(kept)) await bot.heardOn('log', kept.length);
    this.#sample(bot, name, said(bot, 'log'));
  }

  /** Stops a strategy that has an open order, and looks at what it publishes and lists then. */
  async #stop(bot: BotSession, plan: CommandPlan): Promise<void> {
    await this.#actions(bot, 'running', [{ ...openOrder, step: `before ${plan.step}` }]);
    await this.#commands(bot, 'running', [plan]);
    this.#sample(bot, `performance after ${plan.step}`, await parsed(bot.latest('performance')));
  }

  #sample(bot: BotSession, name: string, value: Json): void {
    this.#recording.streams[name] = normaliser(bot.places)(value);
  }

  #raw(name: string, text: string | undefined): void {
    if (text !== undefined) this.#recording.raw[name] = text;
  }

  #keepRaw(bot: BotSession): void {
    const first = (name: string, stream: string | RegExp, piece: string) => {
      const is = (topic: string) => (typeof stream === 'string' ? topic === stream : stream.test(topic));
      this.#raw(name, bot.heard.find((message) => is(message.stream) && message.text.includes(piece))?.text);
    };
    first('events BuyOrderCreated', 'events', 'BuyOrderCreated');
    first('events OrderFilled', 'events', 'OrderFilled');
    first('events FundingPaymentCompleted', 'events', 'FundingPaymentCompleted');
    first('echo of an empty event', 'probe/seen', 'interop.empty');
    first('echo of an event with odd values', 'probe/seen', 'interop.odd');
    first('log with a character beyond ASCII', 'log', 'hello\\/');
    first('reply of history with a trade', /^interop\/reply/, '"trade_id"');
    first('reply of status', /^interop\/reply/, '"data":""}');
  }

  #eventsByType(): Json {
    const types: { [type: string]: Json } = {};
    for (const { published } of [...this.#recording.actions, ...this.#recording.steps] satisfies (
      | Action
      | Step
    )[]) {
      for (const { stream, body } of published) {
        if (stream !== 'events' || body === null || typeof body !== 'object' || Array.isArray(body)) continue;
        types[String(body.type)] ??= body;
      }
    }
    return types;
  }
}

async function parsed(text: Promise<string | undefined>): Promise<Json> {
  const got = await text;
  return got === undefined ? null : parseBotJson(got);
}

/** All that a stream said so far, each wording once. */
function said(bot: BotSession, stream: string): Json {
  return bot.heard.filter((message) => message.stream === stream).map(({ text }) => parseBotJson(text));
}
