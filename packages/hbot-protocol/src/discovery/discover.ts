/** Who is there: bots are known by their traffic alone, since nothing is retained and there is no registry. */
import {
  anything,
  CommlibError,
  literal,
  type Message,
  milliseconds,
  type Node,
  timerMs,
  topic,
} from '@commlib/core';
import { Broadcast } from '../client/broadcast.js';
import { checkNamespace, DEFAULT_NAMESPACE, spellings } from '../contracts/address.js';
import { heartbeat, statusUpdate } from '../schemas/streams.js';

/** Options of {@link discover}. */
export interface DiscoverOptions {
  /** Default `hbot`. */
  readonly namespace?: string | undefined;
  /** How long to listen, in milliseconds. Default 12 000: a bot is heard every 10 s. */
  readonly timeoutMs?: number | undefined;
  /**
   * Look below one level, too: a Hummingbot up to 2.14 whose id is `bot.one` lives at `hbot/bot/one`. Subscribes to
   * everything in the namespace. Default false.
   */
  readonly deep?: boolean | undefined;
  /** Ends the search early, as if its time were over. */
  readonly signal?: AbortSignal | undefined;
}

/** A bot that was heard. */
export interface DiscoveredBot {
  readonly id: string;
  readonly namespace: string;
  /** How it writes dots, when the id has some: to be given to {@link HbotClient}. */
  readonly dialect: 'commlib' | 'aiomqtt' | 'auto';
  readonly heardBy: 'hb' | 'status_updates';
  readonly seenAt: Date;
  /** False when the bot was heard saying that it goes offline. */
  readonly online: boolean;
}

/** In a browser it is a number. */
type Timer = ReturnType<typeof setTimeout> & { unref?: () => unknown };

/** `hbot/predictions/…` carries signals for controllers; no bot lives there. */
const RESERVED = 'predictions';

/** The running search: an async iterable of bots, each once, as they are heard. */
export class Discovery implements AsyncIterable<DiscoveredBot> {
  readonly #node: Node;
  readonly #namespace: string;
  readonly #options: DiscoverOptions;
  readonly #timeoutMs: number;

  /** @internal */
  constructor(node: Node, options: DiscoverOptions) {
    this.#node = node;
    this.#namespace = checkNamespace(options.namespace ?? DEFAULT_NAMESPACE);
    this.#timeoutMs = milliseconds(options.timeoutMs ?? 12_000, 'timeoutMs');
    this.#options = options;
  }

  /** All that are heard until the time is over, by id. The last word on each counts. */
  async list(): Promise<DiscoveredBot[]> {
    const bots = new Map<string, DiscoveredBot>();
    await this.#listen((bot) => bots.set(bot.id, bot));
    return [...bots.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DiscoveredBot, undefined> {
    const heard = new Broadcast<DiscoveredBot>();
    const stop = new AbortController();
    const bots = heard.read();
    const listening = this.#listen((bot) => heard.emit(bot), stop);
    const ended = listening.finally(() => heard.end());
    ended.catch(() => {}); // Thrown below.
    const known = new Set<string>();
    try {
      for await (const bot of bots) {
        if (known.has(bot.id)) continue;
        known.add(bot.id);
        yield bot;
      }
      await ended;
    } finally {
      stop.abort();
      await listening.catch(() => {});
    }
  }

  async #listen(found: (bot: DiscoveredBot) => void, stop = new AbortController()): Promise<void> {
    const { deep, signal } = this.#options;
    const hear = (data: unknown, message: Message<unknown>) => {
      const bot = this.#read(data, message);
      if (bot) found(bot);
    };
    // By hand: in Node 20 the garbage collector takes an AbortSignal.timeout that is inside of an AbortSignal.any, which then
    // never fires.
    const abort = () => stop.abort();
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    let timer: Timer | undefined;
    const over = new Promise<unknown>((resolve) => {
      timer = setTimeout(resolve, timerMs(this.#timeoutMs));
      stop.signal.addEventListener('abort', resolve, { once: true });
    });
    // What is waited for here keeps no process running.
    timer?.unref?.();
    const patience = { timeoutMs: this.#timeoutMs, signal: stop.signal };
    const opened = await Promise.allSettled(
      (deep ? ['#'] : ['+/hb', '+/status_updates']).map((rest) =>
        this.#node.subscribe(topic(literal(`${this.#namespace}/${rest}`), anything), hear, patience),
      ),
    );
    try {
      for (const result of opened)
        if (result.status === 'rejected' && !CommlibError.is(result.reason, 'ABORTED')) throw result.reason;
      if (!stop.signal.aborted) await over;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      await Promise.allSettled(
        opened.map((result) => (result.status === 'fulfilled' ? result.value.close() : undefined)),
      );
    }
  }

  #read(data: unknown, { address, retained }: Message<unknown>): DiscoveredBot | undefined {
    if (retained) return undefined;
    const levels = this.#node.transport.names.levels(address).slice(this.#namespace.split('/').length);
    const stream = levels.at(-1);
    const own = levels.slice(0, -1);
    if (own.length === 0 || own[0] === RESERVED) return undefined;
    const seenAt = new Date();
    const id = own.join('.');
    if (!isId(id)) return undefined;
    const dialect = own.length > 1 ? 'commlib' : id.includes('.') ? 'aiomqtt' : 'auto';
    const bot = { id, namespace: this.#namespace, dialect, seenAt } as const;
    if (stream === 'hb')
      return heartbeat.safeParse(data).success ? { ...bot, heardBy: 'hb', online: true } : undefined;
    const update = stream === 'status_updates' ? statusUpdate.safeParse(data) : undefined;
    return update?.success && update.data.type === 'availability'
      ? { ...bot, heardBy: 'status_updates', online: update.data.msg !== 'offline' }
      : undefined;
  }
}

/** Anybody can publish anywhere: a client could be opened for this id. */
function isId(id: string): boolean {
  try {
    spellings({ id });
    return true;
  } catch {
    return false;
  }
}

/**
 * Listens for bots.
 *
 * A bot sends a heartbeat every 10 s and `online` once per connect, so a bot that runs is heard within 10 s.
 *
 * @throws RangeError for a time that is none; when iterated or listed: `TimeoutError` if the broker could not be asked within that
 * time (nobody heard is no error, but nobody asked is), and what subscribing throws.
 *
 * @example
 * ```ts
 * for await (const bot of discover(node, { timeoutMs: 12_000 })) console.log(bot.id);
 * const all = await discover(node).list();
 * ```
 */
export function discover(node: Node, options: DiscoverOptions = {}): Discovery {
  return new Discovery(node, options);
}
