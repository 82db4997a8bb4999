import { connectAsync, type MqttClient } from 'mqtt';
import { until } from '../../brokers/until.js';
import { type Hummingbot, type HummingbotOptions, startHummingbot } from '../hummingbot.js';
import { type Action, type Json, type Published, parseBotJson, type Step, type When } from './format.js';
import { normaliser, type Places } from './normalise.js';
import type { ActionPlan, CommandPlan } from './plan.js';

/** Real bots answer within 0.3 s, or not at all; this leaves room for a busy machine. */
const NO_REPLY_MS = 2000;
/** The same once the bot has logged an error, which is what it does instead of a reply. */
const NO_REPLY_AFTER_ERROR_MS = 700;
/** For what a plan says will come. */
const AWAITED_MS = 10_000;
/** For what a kept recording has: once it has come nothing more is waited for, so a starved bot may take its time. */
const KEPT_MS = 20_000;
/** A step is over when so many checks, 20 ms apart, found nothing new. Counted, since no clock tells what is not read yet. */
const QUIET_CHECKS = 20;

interface Message {
  stream: string;
  text: string;
}

/** One running bot and a plain MQTT client that hears everything it says. */
export class BotSession implements AsyncDisposable {
  readonly bot: Hummingbot;
  readonly places: Places;
  readonly #client: MqttClient;
  /** Everything heard so far, from the bot's start on. */
  readonly heard: Message[] = [];
  /** How many of them are part of a step. */
  #told = 0;
  #replies = 0;

  private constructor(bot: Hummingbot, client: MqttClient, places: Places) {
    this.bot = bot;
    this.#client = client;
    this.places = places;
  }

  /** Starts a bot and waits until it is ready; what it says on the way is heard. */
  static async start(options: HummingbotOptions, environment: string): Promise<BotSession> {
    const client = await connectAsync(`mqtt://127.0.0.1:${options.port}`);
    const bot = await startHummingbot(options);
    const session = new BotSession(bot, client, { home: bot.home, environment, port: options.port });
    client.on('message', (topic, payload) => session.#hear(topic, payload.toString()));
    await client.subscribeAsync('#', { qos: 1 });
    try {
      await bot.ready();
      // The last lines of a start; an interactive bot without a strategy logs none of them.
      const last = options.strategy
        ? ['connected with success', 'NetworkStatus.CONNECTED']
        : ['connected with success'];
      if (!options.ui || options.strategy) await session.#until(() => session.#heardAll(last, 0), AWAITED_MS);
      await session.#quiet();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends one command and records what comes of it. What the `kept` step has is waited for, longer than what may never come. */
  async command(when: When, plan: CommandPlan, kept?: Step): Promise<Step> {
    const number = ++this.#replies;
    const name = `interop/reply/${number}${plan.replySuffix ?? ''}`;
    const replyTo = `${this.bot.prefix}/${name}`;
    const payload = plan.payload(replyTo);
    const from = this.heard.length;
    const replyTopic = new RegExp(`^interop/reply/${number}(?!\\d)`);
    const isReply = (message: Message) => replyTopic.test(message.stream);
    await this.#publish(plan.command, payload);
    const isError = ({ stream, text }: Message) => stream === 'log' && text.includes('"level_name":"ERROR"');
    const replied = () => this.heard.slice(from).some(isReply);
    if (kept?.reply) await this.#until(replied, KEPT_MS);
    else {
      await this.#until(() => replied() || this.heard.slice(from).some(isError), NO_REPLY_MS);
      await this.#until(replied, NO_REPLY_AFTER_ERROR_MS);
    }
    await this.#toTheEnd(from, plan, kept, isReply);

    const all = this.heard.slice(from);
    const reply = all.find(isReply);
    const clean = normaliser(this.places);
    return {
      step: plan.step,
      when,
      command: plan.command,
      request: clean(described(plan.payload('<reply_to>'))),
      reply: reply ? envelope(clean(parseBotJson(reply.text))) : null,
      ...(reply && reply.stream !== name
        ? { repliedOn: reply.stream.replace(/reply\/\d+/, 'reply/<n>') }
        : {}),
      published: published(
        all.filter((message) => !isReply(message)),
        clean,
      ),
    };
  }

  /** Sends one message that is no command, waits for what the plan and the `kept` one name, and records what comes of it. */
  async action(when: When, plan: ActionPlan, kept?: Action): Promise<Action> {
    const from = this.heard.length;
    await this.#publish(plan.topic, plan.payload);
    await this.#toTheEnd(from, plan, kept);
    const clean = normaliser(this.places);
    return {
      step: plan.step,
      when,
      topic: plan.topic,
      body: clean(described(plan.payload)),
      published: published(this.heard.slice(from), clean),
    };
  }

  /** Waits until a stream has said so much since the start of the bot, in vain if it says less. */
  async heardOn(stream: string, count: number): Promise<void> {
    await this.#until(
      () => this.heard.filter((message) => message.stream === stream).length >= count,
      KEPT_MS,
    );
  }

  /** The text of the latest message of a stream, or of the first if none came yet. A heartbeat comes every 10 s. */
  async latest(stream: string, timeoutMs = 40_000): Promise<string | undefined> {
    const find = () => this.heard.findLast((message) => message.stream === stream)?.text;
    await this.#until(() => find() !== undefined, timeoutMs);
    return find();
  }

  /** The text of the next message of a stream. */
  async next(stream: string, timeoutMs = 40_000): Promise<string | undefined> {
    const from = this.heard.length;
    const find = () => this.heard.slice(from).find((message) => message.stream === stream)?.text;
    await this.#until(() => find() !== undefined, timeoutMs);
    return find();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bot.stop();
    await this.#client.endAsync(true);
  }

  #hear(topic: string, text: string): void {
    const prefix = `${this.bot.prefix}/`;
    const stream = topic.startsWith(prefix) ? topic.slice(prefix.length) : topic;
    if (this.#ours.has(stream)) return;
    // The echo that `bot.ready()` asks for, again every second until one comes: the others come later.
    if (stream === 'probe/seen' && text.includes('interop.ready')) return;
    const message = { stream, text };
    this.heard.push(message);
    if (isTold(message)) this.#told++;
  }

  /** Topics that we publish on, which the subscription to everything brings back. */
  readonly #ours = new Set<string>(['status', 'interop-ready', 'external/event/interop/ready']);

  async #publish(topic: string, payload: string | Buffer): Promise<void> {
    this.#ours.add(topic);
    await this.#client.publishAsync(`${this.bot.prefix}/${topic}`, payload, { qos: 1 });
  }

  #heardAll(pieces: readonly string[], from: number): boolean {
    const lines = this.heard.slice(from).map(({ stream, text }) => `${stream} ${text}`);
    return pieces.every((piece) => lines.some((line) => line.includes(piece)));
  }

  /** The end of a step: all has come that its plan names, as much as is kept of it, and nothing more comes. */
  async #toTheEnd(
    from: number,
    plan: CommandPlan | ActionPlan,
    kept?: Step | Action,
    isReply: (message: Message) => boolean = () => false,
  ): Promise<void> {
    await this.#until(() => this.#heardAll(plan.until ?? [], from), AWAITED_MS);
    const told = () => this.heard.slice(from).filter((message) => isTold(message) && !isReply(message));
    if (kept) await this.#until(() => told().length >= kept.published.length, KEPT_MS);
    await this.#quiet();
  }

  /** Waits for a condition, in vain if it does not become true: the recording shows it. */
  async #until(condition: () => boolean, timeoutMs: number): Promise<void> {
    await until(condition, { what: 'what is recorded', timeoutMs }).catch(() => {});
  }

  async #quiet(): Promise<void> {
    let told = this.#told;
    let checks = 0;
    await this.#until(() => {
      if (this.#told !== told) checks = 0;
      told = this.#told;
      return checks++ >= QUIET_CHECKS;
    }, 15_000);
  }
}

/** Streams that go on whatever is asked. */
const periodic = new Set(['hb', 'performance']);
const isTold = ({ stream }: Message) => !periodic.has(stream);

function published(messages: readonly Message[], clean: (value: Json) => Json): Published[] {
  return messages
    .filter(isTold)
    .map(({ stream, text }) => ({ stream, body: clean(parseBotJson(text)) }))
    .sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : 0));
}

function envelope(reply: Json): { header: Json; data: Json } {
  const parts = reply !== null && typeof reply === 'object' && !Array.isArray(reply) ? reply : {};
  return { header: parts.header ?? null, data: parts.data ?? reply };
}

function described(payload: string | Buffer): Json {
  try {
    if (typeof payload === 'string') return JSON.parse(payload);
  } catch {
    // shown as text
  }
  return { text: payload.toString('latin1') };
}
