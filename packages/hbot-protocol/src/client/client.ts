/** One bot, from the controller's side. */
import { ClosedError, Node, type NodeEvent, type Transport } from '@commlib/core';
import { DEFAULT_NAMESPACE, type Dialect, spellings } from '../contracts/address.js';
import { streamContract } from '../contracts/bot.js';
import { Broadcast } from './broadcast.js';
import { Commander } from './commander.js';
import { SpellingFinder } from './dialect.js';
import type { HbotClientOptions } from './options.js';
import { type BotPresence, PresenceTracker } from './presence.js';
import { BotTopics } from './topics.js';

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
export class HbotClient extends BotTopics implements AsyncDisposable {
  readonly id: string;
  readonly namespace: string;
  /** The connection: the one that was given, or the client's own. */
  readonly node: Node;
  readonly #ownsNode: boolean;
  /** @internal */
  protected readonly spelling: SpellingFinder;
  /** @internal */
  protected readonly dialect: Dialect;
  readonly #tracker: PresenceTracker;
  readonly #changes = new Broadcast<BotPresence>();
  /** @internal */
  protected readonly commander: Commander;
  #closing: Promise<void> | undefined;

  private constructor(node: Node, ownsNode: boolean, options: HbotClientOptions) {
    super();
    this.node = node;
    this.#ownsNode = ownsNode;
    this.id = options.id;
    this.namespace = options.namespace ?? DEFAULT_NAMESPACE;
    this.dialect = options.dialect ?? 'auto';
    this.spelling = new SpellingFinder(spellings(options));
    this.#tracker = new PresenceTracker({
      lostAfterMs: options.lostAfterMs ?? 30_000,
      now: () => Date.now(),
      onChange: (presence) => this.#changes.emit(presence),
    });
    const { namespace } = this;
    this.commander = new Commander({
      node,
      botId: options.id,
      spelling: this.spelling,
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
   * bot's heartbeats from then on. A given node must validate what comes in, as nodes do by default: that is where
   * messages get their types.
   *
   * @throws `InvalidNameError` for ids no broker can carry; what connecting and subscribing throw.
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

  async #watch(): Promise<void> {
    const events = this.node.events();
    this.resources.add({ close: async () => events.return?.(undefined) });
    void this.#follow(events);
    const feed = this.spelling.candidates.flatMap((spelling) => [
      this.node.subscribe(streamContract(spelling, 'hb'), (beat, { retained }) => {
        if (retained) return; // No bot retains: somebody else did, long ago perhaps.
        this.spelling.heard(spelling);
        this.#tracker.beat(beat);
      }),
      this.node.subscribe(streamContract(spelling, 'status_updates'), (update, { retained }) => {
        if (retained) return;
        this.spelling.heard(spelling);
        this.#tracker.update(update);
      }),
    ]);
    const opened = await Promise.allSettled(feed);
    for (const result of opened) if (result.status === 'fulfilled') this.resources.add(result.value);
    for (const result of opened) if (result.status === 'rejected') throw result.reason;
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

  /** Ends its subscriptions and the commands in flight, and the node if it is its own. */
  close(): Promise<void> {
    this.closed = true;
    this.#closing ??= (async () => {
      this.#tracker.close();
      this.commander.close(new ClosedError(`client of bot ${this.id}`));
      await Promise.allSettled([...this.resources].map((resource) => resource.close()));
      this.#changes.end();
      if (this.#ownsNode) await this.node.close();
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
