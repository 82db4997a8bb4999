/** The bot's side of the protocol: commands in, everything else out. */
import { type AnyParameters, type Message, Node, type Request } from '@commlib/core';
import { checkNamespace, DEFAULT_NAMESPACE, type Spelling, spellings } from '../contracts/address.js';
import { externalEventsContract, serviceContract } from '../contracts/bot.js';
import {
  type CommandName,
  commandNames,
  type ServedReply,
  type ServedRequest,
} from '../schemas/commands/index.js';
import type { ExternalEvent } from '../schemas/streams.js';
import { type Clock, every, systemClock } from './clock.js';
import { type ExternalEventHandler, ExternalEventListeners } from './external-events.js';
import {
  type CommandHandler,
  type CommandHandlers,
  CommandRejected,
  completeReply,
  refusal,
} from './handlers.js';
import type { HbotBridgeOptions } from './options.js';
import { BotPublishers, sendOn } from './publishers.js';

/** One start of the bridge. */
interface Session {
  readonly node: Node;
  readonly publishers: BotPublishers;
  readonly close: (() => Promise<unknown>)[];
}

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
  #session: Session | undefined;
  /** Starts and stops come one after the other. */
  #turn: Promise<void> = Promise.resolve();

  /** @throws {@link InvalidNameError} for ids no broker can carry. */
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
    const publishers = new BotPublishers(sendOn(node, this.#spelling), this.#clock, options.gates ?? {});
    const session: Session = { node, publishers, close: [] };
    try {
      await this.#open(session);
    } catch (error) {
      await this.#release(session);
      throw error;
    }
    this.#session = session;
    await this.#announce(session);
  }

  async #stop(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await session.publishers.statusUpdate('offline').catch((error) => this.#report(error));
    this.#session = undefined;
    await this.#release(session);
  }

  async #release(session: Session): Promise<void> {
    await Promise.allSettled(session.close.map((close) => close()));
    if (this.#options.node === undefined) await session.node.close();
  }

  async #open(session: Session): Promise<void> {
    const { gates = {}, commands = {}, heartbeatMs = 10_000 } = this.#options;
    const { node, close } = session;
    const served = (gates.commands ?? true) ? commandNames.filter((name) => isServed(name, commands)) : [];
    await Promise.all(
      served.map(async (name) => {
        const service = await this.#serve(node, name, commands);
        close.push(() => service.close());
      }),
    );
    if (gates.externalEvents ?? true) {
      const subscriber = await node.subscribe(externalEventsContract(this.#spelling), (event, message) =>
        this.#external(node, event, message),
      );
      close.push(() => subscriber.close());
    }
    const events = node.events();
    close.push(async () => events.return?.(undefined));
    void this.#follow(session, events);
    const stop = every(this.#clock, heartbeatMs, () => this.#quietly(session.publishers.heartbeat()));
    close.push(async () => stop());
  }

  #serve<C extends CommandName>(node: Node, command: C, handlers: CommandHandlers) {
    const handler: CommandHandler<C> | undefined = handlers[command];
    const answer = async (
      data: ServedRequest<C>,
      request: Request<ServedRequest<C>>,
    ): Promise<ServedReply<C>> => {
      if (handler === undefined) return refusal(command, `${command} is not supported by this bot`);
      try {
        return completeReply(command, await handler(data, request));
      } catch (error) {
        if (!(error instanceof CommandRejected)) this.#report(error);
        return refusal(command, error instanceof Error ? error.message : String(error));
      }
    };
    const contract = serviceContract(this.#spelling, command);
    return node.serve<string, typeof contract>(contract, answer, { missingData: this.#options.missingData });
  }

  /** First the heartbeat, then the status: the order of real bots. */
  async #announce({ publishers }: Session): Promise<void> {
    await publishers.heartbeat();
    await publishers.statusUpdate('online');
  }

  async #follow(session: Session, events: ReturnType<Node['events']>): Promise<void> {
    for await (const event of events) {
      // The first `ready` was announced by start(); this one is a reconnect.
      if (event.type === 'status' && event.status.state === 'ready') this.#quietly(this.#announce(session));
    }
  }

  #external(node: Node, event: ExternalEvent, { address, retained }: Message<ExternalEvent, AnyParameters>) {
    if (retained) return;
    const own = this.prefix.split('/').length + 2; // …/external/event
    const name = node.transport.names.levels(address).slice(own).join('.');
    return this.#externals.call({ ...event, name });
  }

  #quietly(publishing: Promise<void>): void {
    publishing.catch((error) => this.#report(error));
  }

  #report(error: unknown): void {
    this.#options.onError?.(error);
  }
}

/** `command_shortcuts` ended with 2.6.1: only bots that handle it have it. */
function isServed(name: CommandName, handlers: CommandHandlers): boolean {
  return name !== 'command_shortcuts' || handlers.command_shortcuts !== undefined;
}
