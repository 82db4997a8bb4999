/**
 * At-most-once subscriptions: one exclusive queue for the whole connection with a binding per filter, so that a message comes
 * once however many subscriptions it matches, and is handed out here. A queue for each would cost the broker a process and
 * a copy each: with 10,000 subscriptions, too much of both.
 */
import { type CommlibError, FilterTree, type Inbound, type Intake } from '@commlib/core';
import type { Channel, ConsumeMessage } from 'amqplib';
import { refusal } from './errors.js';
import { textOrNone, toInbound } from './inbound.js';
import type { Link } from './link.js';
import type { AmqpConfig } from './options.js';
import type { Registry, Standing } from './registry.js';
import { cancelled, topologyOf } from './topology.js';

/** Routing keys whose receivers are remembered: most programs use few. */
const REMEMBERED = 1000;

/** A filter with its subscribers here. */
interface Entry extends Standing {
  readonly filter: string;
  readonly members: Set<(message: Inbound) => void>;
  /** The end of the last joining or leaving. */
  last: Promise<void>;
}

/** Can {@link FilterTree} match it as the broker does? A `#` before the end, which only commlib's own patterns have, it cannot. */
export function isRoutable(filter: string): boolean {
  const levels = filter.split('.');
  return levels.indexOf('#') === -1 || levels.indexOf('#') === levels.length - 1;
}

export class Fanout {
  readonly #config: AmqpConfig;
  readonly #registry: Registry;
  readonly #fits: (address: string, size: number) => boolean;
  readonly #entries = new Map<string, Entry>();
  readonly #exact = new Map<string, Entry>();
  readonly #wild = new FilterTree<Entry>();
  readonly #remembered = new Map<string, readonly Entry[]>();
  /** The queue on the present link. */
  #queue: { readonly link: Link; readonly name: Promise<string> } | undefined;

  constructor(config: AmqpConfig, registry: Registry, fits: (address: string, size: number) => boolean) {
    this.#config = config;
    this.#registry = registry;
    this.#fits = fits;
  }

  async join(filter: string, onMessage: (message: Inbound) => void): Promise<Intake> {
    const entry = this.#entry(filter);
    let open = true;
    const member = (message: Inbound) => {
      if (open) onMessage(message);
    };
    entry.members.add(member);
    const leave = async () => {
      open = false;
      entry.members.delete(member);
      await this.#inTurn(entry, async () => {
        if (entry.members.size === 0) await this.#drop(entry);
      });
    };
    try {
      await this.#inTurn(entry, () => this.#registry.add(entry));
    } catch (error) {
      await leave();
      throw error;
    }
    return { close: leave };
  }

  #entry(filter: string): Entry {
    let entry = this.#entries.get(filter);
    if (entry === undefined) {
      const fresh: Entry = {
        filter,
        members: new Set(),
        last: Promise.resolve(),
        open: (link) => this.#bind(fresh, link),
      };
      entry = fresh;
      this.#entries.set(filter, entry);
      const levels = filter.split('.');
      if (levels.includes('*') || levels.includes('#')) this.#wild.add(toOurs(levels), entry);
      else this.#exact.set(filter, entry);
      this.#remembered.clear();
    }
    return entry;
  }

  async #inTurn(entry: Entry, work: () => Promise<void>): Promise<void> {
    const turn = entry.last.then(work);
    entry.last = turn.catch(() => {});
    return turn;
  }

  async #drop(entry: Entry): Promise<void> {
    this.#registry.delete(entry);
    await this.#unbind(entry);
    // Who joined meanwhile binds again, in turn.
    if (entry.members.size > 0 || this.#entries.get(entry.filter) !== entry) return;
    this.#entries.delete(entry.filter);
    this.#exact.delete(entry.filter);
    this.#wild.delete(toOurs(entry.filter.split('.')), entry);
    this.#remembered.clear();
  }

  async #unbind(entry: Entry): Promise<void> {
    const queue = this.#queue;
    if (!queue?.link.alive) return;
    try {
      const name = await queue.name;
      await topologyOf(queue.link).run(`leaving ${entry.filter}`, (channel) =>
        channel.unbindQueue(name, this.#config.exchange, entry.filter),
      );
    } catch {
      // The link ended, and the binding with it; or the broker does not take it away: nobody is there to receive.
    }
  }

  async #bind(entry: Entry, link: Link): Promise<void> {
    const what = `subscription to ${entry.filter}`;
    const queue = await this.#queueOn(link);
    await topologyOf(link).run(what, (channel) =>
      channel.bindQueue(queue, this.#config.exchange, entry.filter),
    );
  }

  #queueOn(link: Link): Promise<string> {
    if (this.#queue?.link !== link) {
      const name = this.#consume(link);
      name.catch(() => {
        if (this.#queue?.name === name) this.#queue = undefined;
      });
      this.#queue = { link, name };
    }
    return this.#queue.name;
  }

  async #consume(link: Link): Promise<string> {
    const lost = (error: CommlibError) => link.abandon(error);
    try {
      const channel: Channel = await link.channel((error) => lost(refusal(error, 'the subscriptions')));
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        durable: false,
        autoDelete: true,
        arguments: this.#config.commlibQueues ? COMMLIB_TOPIC : {},
      });
      const onMessage = (message: ConsumeMessage | null) => {
        if (message === null) lost(cancelled(queue));
        else this.#route(message);
      };
      await channel.consume(queue, onMessage, { noAck: true, exclusive: true });
      return queue;
    } catch (error) {
      link.throwIfEnded();
      throw refusal(error, 'the queue of the subscriptions');
    }
  }

  #route(message: ConsumeMessage): void {
    const { routingKey } = message.fields;
    if (!this.#fits(routingKey, message.content.length)) return;
    const entries = this.#remembered.get(routingKey) ?? this.#find(routingKey);
    let inbound: Inbound | undefined;
    for (const entry of entries) {
      for (const member of entry.members) {
        inbound ??= toInbound(message, {
          replyTo: textOrNone(message.properties.replyTo),
          correlationId: textOrNone(message.properties.correlationId),
        });
        member(inbound);
      }
    }
  }

  #find(routingKey: string): readonly Entry[] {
    const entries: Entry[] = [];
    const exact = this.#exact.get(routingKey);
    if (exact) entries.push(exact);
    this.#wild.match(routingKey.split(/[./]/), (entry) => entries.push(entry));
    if (this.#remembered.size >= REMEMBERED) this.#remembered.clear();
    this.#remembered.set(routingKey, entries);
    return entries;
  }
}

/** AMQP's `*` is our `+`. */
export function toOurs(levels: readonly string[]): string[] {
  return levels.map((level) => (level === '*' ? '+' : level));
}

/** commlib-py's own, `amqp.py`: ten messages at most, the oldest dropped. */
const COMMLIB_TOPIC = {
  'x-max-length': 10,
  'x-overflow': 'drop-head',
  'x-message-ttl': 60_000,
  'x-expires': 300_000,
} as const;
