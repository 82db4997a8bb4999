/** External events and the topics of a bot's scripts, as methods. */
import {
  anything,
  InvalidNameError,
  literal,
  type Name,
  type OutputOf,
  type Schema,
  topic,
} from '@commlib/core';
import { type Dialect, keptPrefix, type Spelling, spellingsOf, under } from '../contracts/address.js';
import { type ExternalEventInput, externalEvent } from '../schemas/streams.js';
import { HEARTBEAT_WAIT_MS } from './commander.js';
import { without } from './commands.js';
import { externalEventPath } from './external.js';
import { type HbotStream, openStream, type StreamHandler } from './stream.js';
import { BotStreams } from './streams.js';

/** Options of a script's own topic. */
export interface ScriptTopicOptions<S extends Schema = Schema> {
  /** Default: anything. */
  readonly schema?: S | undefined;
  /** The topic lies under the bot's prefix (scripts say `use_bot_prefix=True`). Default true. */
  readonly prefix?: boolean | undefined;
}

/** What {@link HbotClient} is built on. */
export abstract class BotTopics extends BotStreams {
  abstract readonly namespace: string;
  /** @internal */
  protected abstract readonly dialect: Dialect;

  /**
   * Sends an external event to the bot's scripts (1.14 and later). Nobody confirms it.
   *
   * @param name `order.market` or `order/market`.
   * @throws `InvalidNameError` for names a bot would not see as they were sent.
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
    return this.keep((onClose) => openStream(this.node, contracts, handler, onClose));
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

  /** A script's topic in every spelling it may have. */
  #scriptNames(name: string, prefix: boolean): Name[] {
    const dialect = this.dialect === 'auto' ? this.spelling.heardDialect : this.dialect;
    const kept = prefix ? `${keptPrefix({ id: this.id, namespace: this.namespace })}/${name}` : name;
    return spellingsOf(kept, dialect).map(({ prefix: text }) => literal(text));
  }

  /** Where to send to; waits for the bot to be heard when that is not known. */
  async #where(name: string): Promise<Spelling> {
    const where = await this.spelling.find(HEARTBEAT_WAIT_MS, undefined);
    if (where) return where;
    throw new InvalidNameError(
      name,
      `bot ${this.id} was not heard, so it is not known how it writes dots: give the dialect`,
    );
  }
}
