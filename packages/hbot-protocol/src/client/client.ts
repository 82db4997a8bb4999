/** One bot, from the controller's side. */
import {
  anything,
  ClosedError,
  InvalidNameError,
  literal,
  type Name,
  Node,
  type NodeEvent,
  type OutputOf,
  type Schema,
  type Transport,
  topic,
} from '@commlib/core';
import {
  DEFAULT_NAMESPACE,
  type Dialect,
  keptPrefix,
  type Spelling,
  spellings,
  spellingsOf,
  under,
} from '../contracts/address.js';
import { type StreamName, streamContract, type streams } from '../contracts/bot.js';
import type { HbotEvent } from '../schemas/events/index.js';
import type { Performance } from '../schemas/performance.js';
import {
  type ExternalEventInput,
  externalEvent,
  type Heartbeat,
  type LogRecord,
  type Notification,
  type StatusUpdate,
} from '../schemas/streams.js';
import { Broadcast } from './broadcast.js';
import { Commander, HEARTBEAT_WAIT_MS } from './commander.js';
import { BotCommands, without } from './commands.js';
import { SpellingFinder } from './dialect.js';
import { externalEventPath } from './external.js';
import type { HbotClientOptions } from './options.js';
import { type BotPresence, PresenceTracker } from './presence.js';
import { type HbotStream, openStream, type StreamHandler } from './stream.js';

/** Options of a script's own topic. */
export interface ScriptTopicOptions<S extends Schema = Schema> {
  /** Default: anything. */
  readonly schema?: S | undefined;
  /** The topic lies under the bot's prefix (scripts say `use_bot_prefix=True`). Default true. */
  readonly prefix?: boolean | undefined;
}

/**
 * Controls one Hummingbot and listens to it: any release from 1.12 to 2.18, both dialects.
 *
 * Every command has a method, which resolves with the bot's answer. A 400 rejects with {@link HbotCommandError}, whose
 * `reason` says what kind of refusal it is; silence rejects with {@link HbotNoReplyError}, which says what may be
 * behind it. {@link request} hands back any answer as it is. Further errors of a command are those of a call in core:
 * `ValidationError` (before anything is sent), `NotConnectedError`, `ConnectionError` (`CONNECTION_LOST`), `AbortedError`.
 *
 * A 200 of `start` does not mean that the strategy runs: a bot that aborts in its checks says 200 too. Confirm it by
 * what it publishes. `events` never come from a headless bot started together with its strategy: poll {@link history}.
 *
 * @example
 * ```ts
 * import { memory, Node } from '@commlib/core';
 * import { HbotClient, SimulatedBot } from '@commlib/hbot-protocol';
 *
 * const node = await new Node({ transport: memory() }).start();
 * const simulated = await SimulatedBot.start({ id: 'testbot', node });
 * const bot = await HbotClient.open(node, { id: 'testbot' });
 * await bot.importStrategy('conf_pure_mm_1');
 * await bot.start();
 * for await (const event of await bot.events()) {
 *   if (event.type !== 'OrderFilled') continue;
 *   console.log(`filled ${event.data.amount} at ${event.data.price}`);
 *   break;
 * }
 * await bot.close();
 * await simulated.close();
 * await node.close();
 * ```
 */
export class HbotClient extends BotCommands implements AsyncDisposable {
  readonly id: string;
  readonly namespace: string;
  /** The connection: the one that was given, or the client's own. */
  readonly node: Node;
  readonly #ownsNode: boolean;
  readonly #spelling: SpellingFinder;
  readonly #dialect: Dialect;
  readonly #tracker: PresenceTracker;
  readonly #changes = new Broadcast<BotPresence>();
  /** @internal */
  protected readonly commander: Commander;
  readonly #streams = new Set<{ close(): Promise<void> }>();
  #closing: Promise<void> | undefined;

  private constructor(node: Node, ownsNode: boolean, options: HbotClientOptions) {
    super();
    this.node = node;
    this.#ownsNode = ownsNode;
    this.id = options.id;
    this.namespace = options.namespace ?? DEFAULT_NAMESPACE;
    this.#dialect = options.dialect ?? 'auto';
    this.#spelling = new SpellingFinder(spellings(options));
    this.#tracker = new PresenceTracker({
      lostAfterMs: options.lostAfterMs ?? 30_000,
      now: () => Date.now(),
      onChange: (presence) => this.#changes.emit(presence),
    });
    const { namespace } = this;
    this.commander = new Commander({
      node,
      botId: options.id,
      spelling: this.#spelling,
      tracker: this.#tracker,
      timeoutMs: options.timeoutMs ?? 35_000,
      // Where a bot writes dots as slashes, it does so with the addresses of its answers too.
      inboxPrefix: ({ dialect }) =>
        options.inboxPrefix ??
        (dialect === 'commlib' ? namespace.replaceAll('.', '/') : namespace).replace(/[./]$/, ''),
      revealSecrets: options.revealSecrets ?? false,
    });
  }

  /**
   * A client for one bot, on a started node (which may serve many) or on a transport of its own. It listens to the
   * bot's heartbeats from then on.
   *
   * @throws {@link InvalidNameError} for ids no broker can carry; what connecting and subscribing throw.
   */
  static async open(on: Node | Transport, options: HbotClientOptions): Promise<HbotClient> {
    spellings(options);
    const node = on instanceof Node ? on : await new Node({ transport: on }).start();
    const client = new HbotClient(node, node !== on, options);
    try {
      await client.#watch();
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Is the bot there? What its heartbeats, status updates and answers tell, now. */
  get presence(): BotPresence {
    return this.#tracker.presence;
  }

  /** Calls `listener` at every change of {@link presence}; returns how to stop that. */
  onPresence(listener: (presence: BotPresence) => void): () => void {
    return this.#changes.listen(listener);
  }

  /** The changes of {@link presence} from now on. Ends when the client is closed. */
  presenceChanges(): AsyncGenerator<BotPresence, undefined> {
    return this.#changes.read();
  }

  // Streams

  /** Every 10 s. */
  heartbeats(handler?: StreamHandler<Heartbeat>): Promise<HbotStream<Heartbeat>> {
    return this.#stream('hb', handler);
  }

  /** What happens to orders. Nothing is dropped: what is not known comes as `type: 'Unknown'`. */
  events(handler?: StreamHandler<HbotEvent>): Promise<HbotStream<HbotEvent>> {
    return this.#stream('events', handler);
  }

  /** Texts for the user. Silent since 2.4.0; headless bots write them to {@link logs}. */
  notifications(handler?: StreamHandler<Notification>): Promise<HbotStream<Notification>> {
    return this.#stream('notify', handler);
  }

  logs(handler?: StreamHandler<LogRecord>): Promise<HbotStream<LogRecord>> {
    return this.#stream('log', handler);
  }

  /** `online` at each connect, `offline` at an orderly end (1.17 and later; not when a process is killed). */
  statusUpdates(handler?: StreamHandler<StatusUpdate>): Promise<HbotStream<StatusUpdate>> {
    return this.#stream('status_updates', handler);
  }

  /** Once a second, from strategies with controllers (1.28 and later). */
  performance(handler?: StreamHandler<Performance>): Promise<HbotStream<Performance>> {
    return this.#stream('performance', handler);
  }

  // Events and topics of one's own

  /**
   * Sends an external event to the bot's scripts (1.14 and later). Nobody confirms it.
   *
   * @param name `order.market` or `order/market`.
   * @throws {@link InvalidNameError} for names a bot would not see as they were sent.
   */
  async sendExternalEvent(name: string, event: ExternalEventInput = {}): Promise<void> {
    const where = await this.#where(name);
    const path = externalEventPath(where.prefix, name);
    const message = { timestamp: -1, sequence: 0, type: 'eevent', data: {}, ...without(event) };
    await this.node.publisher(topic(under(where, path), externalEvent)).publish(message);
  }

  /** Subscribes to a topic on which one of the bot's scripts publishes. Wildcards `+` and `#` may be used. */
  scriptTopic<S extends Schema = Schema>(
    name: string,
    options: ScriptTopicOptions<S> = {},
    handler?: StreamHandler<OutputOf<S>>,
  ): Promise<HbotStream<OutputOf<S>>> {
    const schema: Schema<unknown, OutputOf<S>> = options.schema ?? (anything as Schema<unknown, OutputOf<S>>);
    const contracts = this.#scriptNames(name, options.prefix ?? true).map((text) => topic(text, schema));
    return this.#open(() => openStream(this.node, contracts, handler));
  }

  /** Publishes on a topic to which one of the bot's scripts listens. A name with dots needs the bot's dialect. */
  async publishScriptTopic(name: string, data: unknown, options: ScriptTopicOptions = {}): Promise<void> {
    if (options.prefix ?? true) await this.#where(name);
    const [text, ...more] = this.#scriptNames(name, options.prefix ?? true);
    if (text === undefined || more.length > 0) {
      throw new InvalidNameError(
        name,
        'bots up to 2.14 write its dots as slashes, later ones do not: give the dialect',
      );
    }
    await this.node.publisher(topic(text, options.schema ?? anything)).publish(data);
  }

  async #watch(): Promise<void> {
    const events = this.node.events();
    this.#streams.add({
      close: async () => {
        await events.return?.(undefined);
      },
    });
    void this.#follow(events);
    const feed = this.#spelling.candidates.flatMap((spelling) => [
      this.node.subscribe(streamContract(spelling, 'hb'), (beat, { retained }) => {
        if (retained) return; // No bot retains: somebody else did, long ago perhaps.
        this.#spelling.heard(spelling);
        this.#tracker.beat(beat);
      }),
      this.node.subscribe(streamContract(spelling, 'status_updates'), (update, { retained }) => {
        if (retained) return;
        this.#spelling.heard(spelling);
        this.#tracker.update(update);
      }),
    ]);
    for (const opened of await Promise.allSettled(feed)) {
      if (opened.status === 'rejected') throw opened.reason;
      this.#streams.add(opened.value);
    }
    if (this.node.status.state === 'ready') this.#tracker.watch();
  }

  /** While our own connection is down, silence says nothing about the bot. */
  async #follow(events: AsyncIterable<NodeEvent>): Promise<void> {
    for await (const event of events) {
      if (event.type !== 'status') continue;
      if (event.status.state === 'ready') this.#tracker.watch();
      else this.#tracker.unwatch();
    }
  }

  async #stream<S extends StreamName>(
    stream: S,
    handler: StreamHandler<OutputOf<(typeof streams)[S]>> | undefined,
  ): Promise<HbotStream<OutputOf<(typeof streams)[S]>>> {
    const contracts = this.#spelling.candidates.map((spelling) => streamContract(spelling, stream));
    return this.#open(() => openStream(this.node, contracts, handler));
  }

  async #open<T>(opening: () => Promise<HbotStream<T>>): Promise<HbotStream<T>> {
    if (this.#closing) throw new ClosedError(`client of bot ${this.id}`);
    const stream = await opening();
    this.#streams.add(stream);
    return stream;
  }

  /** A script's topic in every spelling it may have. */
  #scriptNames(name: string, prefix: boolean): Name[] {
    const dialect = this.#dialect === 'auto' ? this.#spelling.heardDialect : this.#dialect;
    const kept = prefix ? `${keptPrefix(this)}/${name}` : name;
    return spellingsOf(kept, dialect).map(({ prefix: text }) => literal(text));
  }

  /** Where to send to; waits for the bot to be heard when that is not known. */
  async #where(name: string): Promise<Spelling> {
    const where = await this.#spelling.find(HEARTBEAT_WAIT_MS, undefined);
    if (where) return where;
    throw new InvalidNameError(
      name,
      `bot ${this.id} was not heard, so it is not known how it writes dots: give the dialect`,
    );
  }

  /** Ends its subscriptions, and the node if it is its own. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#tracker.close();
      this.#spelling.close();
      await Promise.allSettled([...this.#streams].map((stream) => stream.close()));
      this.#changes.end();
      if (this.#ownsNode) await this.node.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
