/** What a bot publishes, as methods. */
import { ClosedError, type Node, type OutputOf } from '@commlib/core';
import { type StreamName, streamContract, type streams } from '../contracts/bot.js';
import type { HbotEvent } from '../schemas/events/index.js';
import type { Performance } from '../schemas/performance.js';
import type { Heartbeat, LogRecord, Notification, StatusUpdate } from '../schemas/streams.js';
import { BotCommands } from './commands.js';
import type { SpellingFinder } from './dialect.js';
import { type HbotStream, openStream, type StreamHandler } from './stream.js';

/** What {@link HbotClient} is built on. */
export abstract class BotStreams extends BotCommands {
  abstract readonly id: string;
  abstract readonly node: Node;
  /** @internal */
  protected abstract readonly spelling: SpellingFinder;
  /** What ends with the client. @internal */
  protected readonly resources = new Set<{ close(): Promise<unknown> }>();
  /** @internal */
  protected closed = false;

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

  async #stream<S extends StreamName>(
    stream: S,
    handler: StreamHandler<OutputOf<(typeof streams)[S]>> | undefined,
  ): Promise<HbotStream<OutputOf<(typeof streams)[S]>>> {
    const contracts = this.spelling.candidates.map((spelling) => streamContract(spelling, stream));
    return this.keep((onClose) => openStream(this.node, contracts, handler, onClose));
  }

  /** Ends with the client, unless it was ended before. @internal */
  protected async keep<T>(opening: (onClose: (stream: HbotStream<T>) => void) => Promise<HbotStream<T>>) {
    const closed = () => new ClosedError(`client of bot ${this.id}`);
    if (this.closed) throw closed();
    const stream = await opening((ended) => this.resources.delete(ended));
    if (this.closed) {
      await stream.close();
      throw closed();
    }
    this.resources.add(stream);
    return stream;
  }
}
