/** The releases a simulated bot can be. */
import type { CommandHandlers } from '../bridge/handlers.js';
import type { BotPublishers } from '../bridge/publishers.js';
import type { Account, Market } from './account.js';
import { headlessGreeting, headlessHandlers } from './headless-profile.js';
import { flatPerformance, nestedPerformance } from './reports.js';
import { seedGreeting, seedHandlers } from './seed-profile.js';
import type { Greeting, Simulation } from './simulation.js';

/**
 * - `seed`: a 1.x bot, in which every command works; its replies are those of the protocol's first description;
 * - `2.13`: a headless Hummingbot 2.13 (commlib dialect);
 * - `2.18`: a headless Hummingbot 2.18 (aiomqtt dialect).
 */
export type SimulatorProfile = 'seed' | '2.13' | '2.18';

/** What makes up a release. */
export interface ProfileTraits {
  readonly dialect: 'commlib' | 'aiomqtt';
  /** A request without `data` is executed with defaults by 2.15 and later. */
  readonly missingData: 'refuse' | 'empty';
  /** `notify` has been silent since 2.4.0. */
  readonly notifies: boolean;
  /** A strategy runs from the boot on, unless the options say otherwise. */
  readonly runsAtBoot: boolean;
  readonly market: Market;
  readonly handlers: (simulation: Simulation) => CommandHandlers;
  readonly performance: (account: Account, publish: BotPublishers) => Promise<void>;
  /** What is logged at the boot, given the bot's prefix and the strategy that runs from then on. */
  readonly greeting: (prefix: string, strategy: string | null) => Greeting;
}

const headless = {
  notifies: false,
  runsAtBoot: false,
  market: { name: 'mock_paper_exchange', base: 'BTC', quote: 'USDT', price: 100, fee: '0.002' },
  handlers: headlessHandlers,
  performance: (account: Account, publish: BotPublishers) => publish.performance(nestedPerformance(account)),
} as const;

/** By profile. */
export const PROFILES: Readonly<Record<SimulatorProfile, ProfileTraits>> = {
  seed: {
    dialect: 'commlib',
    missingData: 'refuse',
    notifies: true,
    runsAtBoot: true,
    market: { name: 'binance_paper_trade', base: 'BTC', quote: 'USDT', price: 100, fee: '0.001' },
    handlers: seedHandlers,
    performance: (account, publish) => publish.custom('performance', flatPerformance(account)),
    greeting: seedGreeting,
  },
  '2.13': { dialect: 'commlib', missingData: 'refuse', greeting: headlessGreeting('2.13'), ...headless },
  '2.18': { dialect: 'aiomqtt', missingData: 'empty', greeting: headlessGreeting('2.18'), ...headless },
};
