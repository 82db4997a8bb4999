import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
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
/** A step is over when the bot has published nothing for so long. */
const QUIET_MS = 400;

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
  #lastHeard = 0;
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

  /** Sends one command and records what comes of it. */
  async command(when: When, plan: CommandPlan): Promise<Step> {
    const number = ++this.#replies;
    const name = `interop/reply/${number}${plan.replySuffix ?? ''}`;
    const replyTo = `${this.bot.prefix}/${name}`;
    const payload = plan.payload(replyTo);
    const from = this.heard.length;
    const replyTopic = new RegExp(`^interop/reply/${number}(?!\\d)`);
    const isReply = (message: Message) => replyTopic.test(message.stream);
    await this.#publish(plan.command, payload);
    const isError = ({ stream, text }: Message) => stream === 'log' && text.includes('"level_name":"ERROR"');
    await this.#until(
      () => this.heard.slice(from).some((message) => isReply(message) || isError(message)),
      NO_REPLY_MS,
    );
    await this.#until(() => this.heard.slice(from).some(isReply), NO_REPLY_AFTER_ERROR_MS);
    await this.#until(() => this.#heardAll(plan.until ?? [], from), AWAITED_MS);
    await this.#quiet();

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

  /** Sends one message that is no command, waits for what the plan names, and records what comes of it. */
  async action(when: When, plan: ActionPlan): Promise<Action> {
    const from = this.heard.length;
    await this.#publish(plan.topic, plan.payload);
    await this.#until(() => this.#heardAll(plan.until ?? [], from), AWAITED_MS);
    await this.#quiet();
    const clean = normaliser(this.places);
    return {
      step: plan.step,
      when,
      topic: plan.topic,
      body: clean(described(plan.payload)),
      published: published(this.heard.slice(from), clean),
    };
  }

  /** The text of the latest message of a stream, or the next one if none came since `from`. */
  async latest(stream: string, timeoutMs = 15_000): Promise<string | undefined> {
    const find = () => this.heard.findLast((message) => message.stream === stream)?.text;
    await this.#until(() => find() !== undefined, timeoutMs);
    return find();
  }

  /** The text of the next message of a stream. */
  async next(stream: string, timeoutMs = 15_000): Promise<string | undefined> {
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
    this.heard.push({ stream, text });
    if (!periodic.has(stream)) this.#lastHeard = Date.now();
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

  async #until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() >= deadline) return false;
      await sleep(20);
    }
    return true;
  }

  async #quiet(): Promise<void> {
    const begun = Date.now();
    await this.#until(() => Date.now() - Math.max(begun, this.#lastHeard) >= QUIET_MS, 15_000);
  }
}

/** Streams that go on whatever is asked. */
const periodic = new Set(['hb', 'performance']);

function published(messages: readonly Message[], clean: (value: Json) => Json): Published[] {
  return messages
    .filter(({ stream }) => !periodic.has(stream))
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
