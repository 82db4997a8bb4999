/** A bridge from one start to the next stop: what it serves, hears and says by itself. */
import type { Message, Node, Request } from '@commlib/core';
import type { Spelling } from '../contracts/address.js';
import { externalEventsContract, serviceContract } from '../contracts/bot.js';
import {
  type CommandName,
  commandNames,
  type ServedReply,
  type ServedRequest,
} from '../schemas/commands/index.js';
import type { ExternalEvent } from '../schemas/streams.js';
import { type Clock, every } from './clock.js';
import type { ExternalEventListeners } from './external-events.js';
import {
  type CommandHandler,
  type CommandHandlers,
  CommandRejected,
  completeReply,
  refusal,
} from './handlers.js';
import type { HbotBridgeOptions } from './options.js';
import { BotPublishers, sendOn } from './publishers.js';

/** Made anew at every start. */
export class BridgeSession {
  readonly node: Node;
  readonly publishers: BotPublishers;
  readonly #spelling: Spelling;
  readonly #clock: Clock;
  readonly #options: HbotBridgeOptions;
  readonly #externals: ExternalEventListeners;
  readonly #opened: (() => unknown)[] = [];

  constructor(
    node: Node,
    spelling: Spelling,
    clock: Clock,
    options: HbotBridgeOptions,
    externals: ExternalEventListeners,
  ) {
    this.node = node;
    this.#spelling = spelling;
    this.#clock = clock;
    this.#options = options;
    this.#externals = externals;
    this.publishers = new BotPublishers(sendOn(node, spelling), clock, options.gates ?? {});
  }

  /** Begins to serve and to listen. When it fails, `close` takes back what was begun. */
  async open(): Promise<void> {
    const { gates = {}, commands = {}, heartbeatMs = 10_000 } = this.#options;
    const served = (gates.commands ?? true) ? commandNames.filter((name) => isServed(name, commands)) : [];
    // All of them, also when one fails: what opens after the failure has to be closed, too.
    const results = await Promise.allSettled([
      ...served.map((command) => this.#serve(command, commands)),
      ...((gates.externalEvents ?? true) ? [this.#listen()] : []),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    const events = this.node.events();
    this.#opened.push(() => events.return?.(undefined));
    void this.#follow(events);
    const stopHeartbeats = every(this.#clock, heartbeatMs, () => this.#quietly(this.publishers.heartbeat()));
    this.#opened.push(stopHeartbeats);
  }

  /** First the heartbeat, then the status: the order of real bots. */
  async announce(): Promise<void> {
    await this.publishers.heartbeat();
    await this.publishers.statusUpdate('online');
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#opened.map(async (close) => close()));
  }

  async #serve<C extends CommandName>(command: C, handlers: CommandHandlers): Promise<void> {
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
    const service = await this.node.serve<string, typeof contract>(contract, answer, {
      missingData: this.#options.missingData,
    });
    this.#opened.push(() => service.close());
  }

  async #listen(): Promise<void> {
    const own = this.#spelling.prefix.split('/').length + 2; // …/external/event
    const hear = (event: ExternalEvent, { address, retained }: Message<ExternalEvent>) => {
      if (retained) return undefined; // Kept from some earlier day: not for now.
      const name = this.node.transport.names.levels(address).slice(own).join('.');
      return this.#externals.call({ ...event, name });
    };
    const subscriber = await this.node.subscribe(externalEventsContract(this.#spelling), hear);
    this.#opened.push(() => subscriber.close());
  }

  async #follow(events: ReturnType<Node['events']>): Promise<void> {
    for await (const event of events) {
      // The first `ready` is announced by the start of the bridge; this one is a reconnect.
      if (event.type === 'status' && event.status.state === 'ready') this.#quietly(this.announce());
    }
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
