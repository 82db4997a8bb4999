/** What a bot publishes, once its connection is there. */
import { anything, type Node, topic } from '@commlib/core';
import { type Spelling, under } from '../contracts/address.js';
import { type StreamName, streamContract } from '../contracts/bot.js';
import type { EventInput, EventOf, KnownEventType } from '../schemas/events/index.js';
import type { PerformanceInput } from '../schemas/performance.js';
import type { Clock } from './clock.js';
import type { BridgeGates } from './options.js';

/** The levels of Python's logging, and Hummingbot's own NETWORK. */
export const LOG_LEVELS = { DEBUG: 10, NETWORK: 16, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 } as const;

/** How a log record is written. */
export interface LogOptions {
  /** Default `INFO`. */
  readonly level?: keyof typeof LOG_LEVELS | undefined;
  /** Default `hummingbot.client.hummingbot_application`. */
  readonly logger?: string | undefined;
}

/** Publishes one message; `undefined` while the bridge is stopped. */
type Send = (suffix: string, message: unknown) => Promise<void>;

/** Publishes under one bot's prefix, with the bot's own times. A gate that is off swallows its messages. */
export class BotPublishers {
  readonly #send: Send;
  readonly #now: () => number;
  readonly #gates: BridgeGates;

  /** @internal */
  constructor(send: Send, clock: Clock, gates: BridgeGates) {
    this.#send = send;
    this.#now = () => clock.now();
    this.#gates = gates;
  }

  /** `hb`. The bridge sends it by itself. */
  heartbeat(): Promise<void> {
    return this.#send('hb', { ts: Math.floor((this.#now() + 500) * 1_000) });
  }

  /** `status_updates`. The bridge sends both by itself. */
  statusUpdate(msg: 'online' | 'offline'): Promise<void> {
    return this.#send('status_updates', { timestamp: Math.floor(this.#now()), type: 'availability', msg });
  }

  /**
   * `events`, one of Hummingbot's own.
   *
   * @example
   * ```ts
   * await bridge.publish.event('OrderExpired', { order_id: 'OID1' });
   * ```
   */
  event<T extends KnownEventType>(type: T, data: EventOf<T>['data']): Promise<void> {
    return this.customEvent(type, { ...data });
  }

  /** `events`, of a type of one's own; clients see it as `type: 'Unknown'` with this as `wireType`. */
  customEvent(type: string, data: EventInput['data']): Promise<void> {
    if (this.#gates.events === false) return Promise.resolve();
    return this.#send('events', { timestamp: Math.floor(this.#now() / 1_000), type, data });
  }

  /** `notify`: text for the user. */
  notify(msg: string): Promise<void> {
    if (this.#gates.notifier === false) return Promise.resolve();
    return this.#send('notify', { seq: 0, timestamp: -1, msg });
  }

  /** `log`. */
  log(msg: string, options: LogOptions = {}): Promise<void> {
    if (this.#gates.logger === false) return Promise.resolve();
    const { level = 'INFO', logger = 'hummingbot.client.hummingbot_application' } = options;
    const timestamp = this.#now() / 1_000;
    return this.#send('log', {
      timestamp,
      msg,
      level_no: LOG_LEVELS[level],
      level_name: level,
      logger_name: logger,
    });
  }

  /** `performance`: the reports of all controllers; empty ones after a stop. */
  performance(reports: PerformanceInput): Promise<void> {
    return this.#send('performance', reports);
  }

  /** A topic of one's own under the bot's prefix, as scripts have them. */
  custom(suffix: string, message: unknown): Promise<void> {
    return this.#send(suffix, message);
  }
}

const STREAMS: ReadonlySet<string> = new Set<StreamName>([
  'hb',
  'events',
  'notify',
  'log',
  'status_updates',
  'performance',
]);

function isStream(suffix: string): suffix is StreamName {
  return STREAMS.has(suffix);
}

/** Publishes on a node. */
export function sendOn(node: Node, spelling: Spelling): Send {
  const publishers = new Map<string, (message: unknown) => Promise<void>>();
  return async (suffix, message) => {
    let publish = publishers.get(suffix);
    if (publish === undefined) {
      const { name, schema } = isStream(suffix)
        ? streamContract(spelling, suffix)
        : topic(under(spelling, suffix), anything);
      const publisher = node.publisher(topic(name, schema));
      publish = (data) => publisher.publish(data);
      publishers.set(suffix, publish);
    }
    await publish(message);
  };
}
