/** What a simulated bot has inside, as its profiles see it. */

import type { Clock } from '../bridge/clock.js';
import type { BotPublishers, LogOptions } from '../bridge/publishers.js';
import type { PerformanceInput } from '../schemas/performance.js';
import type { Account } from './account.js';
import type { TradingEngine } from './engine.js';

/** Loggers of the real bot. */
export const LOGGERS = {
  application: 'hummingbot.client.hummingbot_application',
  bridge: 'hummingbot.remote_iface.mqtt',
  core: 'hummingbot.core.trading_core',
  connectors: 'hummingbot.core.connector_manager',
} as const;

/** Lines of a log, each with its logger. */
export type Greeting = readonly (readonly [msg: string, logger: string])[];

/** What the bot's strategy does. `demo`: it runs since the boot, and the first `start` takes it over. */
export type StrategyState = 'idle' | 'demo' | 'running';

/** The inside of one bot. */
export interface Simulation {
  readonly clock: Clock;
  readonly account: Account;
  readonly engine: TradingEngine;
  /** Milliseconds since 1970. */
  readonly bootedAt: number;
  state: StrategyState;
  /** What was imported or started last; null when nothing is loaded. */
  strategy: string | null;
  /** Publishes without waiting; what cannot be sent is lost, as QoS 0 messages are. */
  readonly send: (what: (publish: BotPublishers) => Promise<void>) => void;
}

/** Writes to `log`. */
export function log(simulation: Simulation, msg: string, options?: LogOptions): void {
  simulation.send((publish) => publish.log(msg, options));
}

/** The trades of the last days; of 0, less, or null days: since the process started. */
export function tradesOf({ account, clock, bootedAt }: Simulation, days: number | null) {
  return account.trades(days === null || days <= 0 ? bootedAt : clock.now() - days * 86_400_000);
}

/** A stop, in the order in which real bots say it. */
export function windDown(
  simulation: Simulation,
  stopped: PerformanceInput,
  skipOrderCancellation: boolean,
): void {
  const { engine, account, state } = simulation;
  log(simulation, 'stop command initiated.');
  log(simulation, '\nWinding down...');
  if (state !== 'idle') {
    simulation.send((publish) => publish.performance(stopped));
    log(simulation, 'Strategy stopped successfully', { logger: LOGGERS.core });
    engine.stop({ cancel: !skipOrderCancellation });
    log(simulation, `Removed connector: ${account.market.name}`, { logger: LOGGERS.connectors });
    log(simulation, 'Clock stopped successfully', { logger: LOGGERS.core });
    simulation.state = 'idle';
  }
  log(simulation, 'Hummingbot stopped.');
}
