/** The bot's side of the protocol: commands in, everything else out. */
import { Node } from '@commlib/core';
import { checkNamespace, DEFAULT_NAMESPACE, type Spelling, spellings } from '../contracts/address.js';
import { type Clock, systemClock } from './clock.js';
import { type ExternalEventHandler, ExternalEventListeners } from './external-events.js';
import type { HbotBridgeOptions } from './options.js';
import { BotPublishers } from './publishers.js';
import { BridgeSession } from './session.js';

/**
 * Makes any program a bot that Hummingbot's controllers can talk to.
 *
 * `start()` connects, takes commands and external events, and publishes the first heartbeat and `online`;
 * `stop()` publishes `offline` and lets go; both may be called again and again. A command runs once: requests that the
 * broker kept or delivers again are refused by the service underneath. A handler that throws answers 400 with the text
 * of the error, as Hummingbot does.
 *
 * What is published while offline rejects with `NotConnectedError`; nothing is kept for later. What is published while
 * the bridge is stopped, or behind a gate that is off, goes nowhere, without an error.
 *
 * @example
 * ```ts
 * const bridge = new HbotBridge({
 *   id: 'mybot',
 *   node,
 *   commands: {
 *     start: ({ script }) => {
 *       if (script === null) throw new CommandRejected('No script');
 *     },
 *     history: async () => ({ trades: [] }),
 *   },
 * });
 * bridge.onExternalEvent('order.market', ({ data }) => console.log(data));
 * await bridge.start();
 * await bridge.publish.notify('ready to trade');
 * await bridge.close();
 * ```
 */
export class HbotBridge implements AsyncDisposable {
  readonly id: string;
  readonly namespace: string;
  readonly #options: HbotBridgeOptions;
  readonly #spelling: Spelling;
  readonly #clock: Clock;
  readonly #externals = new ExternalEventListeners();
  readonly #nowhere: BotPublishers;
  #session: BridgeSession | undefined;
  /** Starts and stops come one after the other. */
  #turn: Promise<void> = Promise.resolve();

  /** @throws `InvalidNameError` for ids no broker can carry. */
  constructor(options: HbotBridgeOptions) {
    this.id = options.id;
    this.namespace = checkNamespace(options.namespace ?? DEFAULT_NAMESPACE);
    this.#options = options;
    this.#spelling = spellings({ ...options, dialect: options.dialect ?? 'aiomqtt' })[0];
    this.#clock = options.clock ?? systemClock;
    this.#nowhere = new BotPublishers(async () => {}, this.#clock, {});
  }

  /** `hbot/mybot`, as it is on the wire. */
  get prefix(): string {
    return this.#spelling.prefix;
  }

  get running(): boolean {
    return this.#session !== undefined;
  }

  /** The connection, while the bridge runs. */
  get node(): Node | undefined {
    return this.#session?.node;
  }

  /** Resolves when controllers can reach the bot. Does nothing when it runs already. */
  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  /** Says `offline`, ends the intake and waits for the commands that run. Does nothing when it is stopped. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  /** `stop()`, then `start()`. */
  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  /** The same as `stop()`. */
  close(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Calls `handler` for external events of one name (`order.market`), or of every name (`*`). Returns how to stop that. */
  onExternalEvent(name: string, handler: ExternalEventHandler): () => void {
    return this.#externals.add(name, handler);
  }

  /** What the bot publishes. Each method resolves when its message was handed to the connection. */
  get publish(): BotPublishers {
    return this.#session?.publishers ?? this.#nowhere;
  }

  #inTurn(what: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(what);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #start(): Promise<void> {
    if (this.#session) return;
    const options = this.#options;
    const node =
      options.node ?? (await new Node({ ...options.nodeOptions, transport: options.transport() }).start());
    const session = new BridgeSession(node, this.#spelling, this.#clock, options, this.#externals);
    try {
      await session.open();
    } catch (error) {
      await this.#release(session);
      throw error;
    }
    this.#session = session;
    // A connection that is lost just now comes back, and then the bot is announced: no reason to fail.
    await session.announce().catch((error) => options.onError?.(error));
  }

  async #stop(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await session.publishers.statusUpdate('offline').catch((error) => this.#options.onError?.(error));
    this.#session = undefined;
    await this.#release(session);
  }

  async #release(session: BridgeSession): Promise<void> {
    await session.close();
    if (this.#options.node === undefined) await session.node.close();
  }
}
