/**
 * A message broker in the same process, with real semantics: asynchronous delivery, retained messages, groups,
 * at-least-once queues with redelivery and attempt counts, competing and copying services. It can be killed and started
 * again, which is what tests want of it.
 */

import type { ServeMode } from '../capabilities.js';
import { FilterTree, matches } from '../names/matcher.js';
import type { Headers, Inbound, IntakeCloseOptions, SendOptions, SubscribeOptions } from '../transport.js';
import { getOrMake } from '../util/get-or-make.js';
import { Queue } from './queue.js';

/** A connection, as the broker sees it. */
export interface BrokerClient {
  /** The broker is gone. */
  lost(): void;
}

/** Something that receives. */
export interface Consumer {
  readonly receive: (message: Inbound) => void;
  /** At-least-once: unsettled messages allowed. */
  readonly maxInFlight: number;
}

/** A message, as the broker keeps it. */
export interface Stored {
  readonly address: string;
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
  readonly key: string | undefined;
  readonly expires: number;
}

/** A consumer that is attached, and how it goes. */
export interface Attachment {
  /** In good order; see {@link Intake.close}. */
  close(options?: IntakeCloseOptions): Promise<void>;
  /** Its connection is gone. */
  drop(): void;
}

interface Sharing {
  readonly members: Consumer[];
  turn: number;
}

interface Service {
  readonly copying: Consumer[];
  readonly competing: Sharing;
}

/**
 * The broker of the in-memory transport. Give one to several `memory({ broker })` to connect them.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker();
 * const a = await new Node({ transport: memory({ broker }) }).start();
 * const b = await new Node({ transport: memory({ broker }) }).start();
 * ```
 */
export class MemoryBroker {
  readonly #clients = new Set<BrokerClient>();
  readonly #subscriptions = new FilterTree<Consumer>();
  readonly #groups = new FilterTree<Sharing>();
  readonly #sharings = new Map<string, Sharing>();
  readonly #queues = new Map<string, Queue>();
  readonly #queueTree = new FilterTree<Queue>();
  readonly #services = new Map<string, Service>();
  readonly #inboxes = new Map<string, Consumer>();
  readonly #retained = new Map<string, Stored>();
  #up = true;

  /** Is the broker there? */
  get up(): boolean {
    return this.#up;
  }

  /** Ends every connection and refuses new ones. Queues and retained messages survive, as on a broker with a disk. */
  kill(): void {
    this.#up = false;
    for (const client of [...this.#clients]) client.lost();
    this.#clients.clear();
  }

  /** Accepts connections again. */
  restore(): void {
    this.#up = true;
  }

  /** Drops one connection or all of them, and stays up. */
  disconnect(): void {
    for (const client of [...this.#clients]) client.lost();
  }

  /** @internal */
  attach(client: BrokerClient): void {
    this.#clients.add(client);
  }

  /** @internal */
  detach(client: BrokerClient): void {
    this.#clients.delete(client);
  }

  /** @internal How many take it. */
  publish(address: string, payload: Uint8Array, options: SendOptions = {}): number {
    const expires =
      options.expiresInMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.expiresInMs;
    // An object of its own per message, as from a real broker, also when the sender uses its bytes again.
    const message: Stored = {
      address,
      payload: payload.subarray(),
      headers: options.headers,
      key: options.key,
      expires,
    };
    if (options.retain) {
      // As on MQTT, an empty retained message removes the one that is kept.
      if (payload.length === 0) this.#retained.delete(address);
      else this.#retained.set(address, message);
    }
    const levels = address.split('/');
    let takers = 0;
    const give = (consumer: Consumer | undefined) => {
      takers++;
      hand(consumer, message, false);
    };
    this.#subscriptions.match(levels, give);
    this.#groups.match(levels, (sharing) => give(turnOf(sharing)));
    this.#queueTree.match(levels, (queue) => {
      takers++;
      queue.push(message);
    });
    // As on MQTT, a service is a subscriber of its address: a request may be published, and then be retained.
    for (const consumer of this.#serving(address)) give(consumer);
    return takers;
  }

  /** @internal Point to point: a reply inbox, or the services of that address. How many take it. */
  send(
    address: string,
    payload: Uint8Array,
    reply: { readonly replyTo?: string; readonly correlationId?: string | undefined },
  ): number {
    const message: Inbound = { address, payload, retained: false, redelivered: false, ...reply };
    const inbox = this.#inboxes.get(address);
    const takers = inbox ? [inbox] : this.#serving(address);
    for (const consumer of takers) queueMicrotask(() => consumer.receive(message));
    return takers.length;
  }

  /** @internal */
  subscribe(filter: string, options: SubscribeOptions, consumer: Consumer): Attachment {
    const levels = filter.split('/');
    if (options.delivery === 'at-least-once')
      return this.#joinQueue(`${options.group}\0${filter}`, levels, consumer);
    if (options.group !== undefined) return this.#joinGroup(`${options.group}\0${filter}`, levels, consumer);
    this.#subscriptions.add(levels, consumer);
    for (const [address, message] of this.#retained) {
      if (message.expires > Date.now() && matches(levels, address.split('/'))) hand(consumer, message, true);
    }
    return detachable(() => this.#subscriptions.delete(levels, consumer));
  }

  /** @internal */
  serve(address: string, mode: ServeMode, consumer: Consumer): Attachment {
    const service = getOrMake(this.#services, address, () => ({
      copying: [],
      competing: { members: [], turn: 0 },
    }));
    const members = mode === 'all' ? service.copying : service.competing.members;
    members.push(consumer);
    const message = this.#retained.get(address);
    if (message) hand(consumer, message, true);
    return detachable(() => {
      remove(members, consumer);
      if (service.copying.length + service.competing.members.length === 0) this.#services.delete(address);
    });
  }

  #serving(address: string): readonly Consumer[] {
    const service = this.#services.get(address);
    if (service === undefined) return [];
    const one = turnOf(service.competing);
    return one ? [...service.copying, one] : service.copying;
  }

  /** @internal */
  openInbox(address: string, consumer: Consumer): Attachment {
    this.#inboxes.set(address, consumer);
    return detachable(() => this.#inboxes.delete(address));
  }

  #joinGroup(id: string, levels: readonly string[], consumer: Consumer): Attachment {
    let sharing = this.#sharings.get(id);
    if (sharing === undefined) {
      sharing = { members: [], turn: 0 };
      this.#sharings.set(id, sharing);
      this.#groups.add(levels, sharing);
    }
    sharing.members.push(consumer);
    return detachable(() => {
      remove(sharing.members, consumer);
      if (sharing.members.length > 0) return;
      this.#sharings.delete(id);
      this.#groups.delete(levels, sharing);
    });
  }

  #joinQueue(id: string, levels: readonly string[], consumer: Consumer): Attachment {
    let queue = this.#queues.get(id);
    if (queue === undefined) {
      queue = new Queue(levels);
      this.#queues.set(id, queue);
      this.#queueTree.add(levels, queue);
    }
    const joined = queue;
    const membership = joined.join(consumer);
    return {
      drop: membership.drop,
      close: async ({ forget } = {}) => {
        await membership.close();
        if (!forget || !joined.memberless) return;
        this.#queues.delete(id);
        this.#queueTree.delete(levels, joined);
      },
    };
  }
}

/** What holds nothing to be settled goes at once, in good order or not. */
function detachable(detach: () => void): Attachment {
  return { close: async () => detach(), drop: detach };
}

function hand(consumer: Consumer | undefined, message: Stored, retained: boolean): void {
  if (consumer === undefined) return;
  const { address, payload, headers, key } = message;
  queueMicrotask(() => consumer.receive({ address, payload, headers, key, retained, redelivered: false }));
}

function turnOf(sharing: Sharing): Consumer | undefined {
  const consumer = sharing.members[sharing.turn % Math.max(1, sharing.members.length)];
  sharing.turn++;
  return consumer;
}

function remove(members: Consumer[], consumer: Consumer): void {
  const at = members.indexOf(consumer);
  if (at >= 0) members.splice(at, 1);
}
