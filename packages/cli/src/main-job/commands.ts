/** Every command of the protocol, in an order that makes sense for a bot. */
import type { HbotClient } from '@commlib/hbot-protocol';

/** One command to be sent. */
export interface Step {
  /** As the protocol's description names it. */
  readonly name: string;
  /** What is sent, for the reader. */
  readonly what: string;
  readonly send: (bot: HbotClient) => Promise<unknown>;
}

/** The commands in the order of the protocol's description, which is that of the summary. */
export const commandNames = [
  'start',
  'stop',
  'import',
  'config',
  'balance limit',
  'balance paper',
  'history',
  'status',
] as const;

/** Before the strategy trades. */
export const preparation: readonly Step[] = [
  { name: 'config', what: 'list', send: (bot) => bot.config() },
  {
    name: 'config',
    what: 'mqtt_bridge.mqtt_autostart = 1',
    send: (bot) => bot.config([['mqtt_bridge.mqtt_autostart', 1]]),
  },
  {
    name: 'balance paper',
    what: '1000 USDT',
    send: (bot) => bot.balancePaper({ asset: 'USDT', amount: 1000 }),
  },
  {
    name: 'balance limit',
    what: 'kucoin 100 USDT',
    send: (bot) => bot.balanceLimit({ exchange: 'kucoin', asset: 'USDT', amount: 100 }),
  },
  {
    name: 'import',
    what: 'conf_liquidity_mining_1',
    send: (bot) => bot.importStrategy('conf_liquidity_mining_1'),
  },
  { name: 'start', what: '', send: (bot) => bot.start() },
];

/** While it trades. */
export const inspection: readonly Step[] = [
  { name: 'status', what: '', send: (bot) => bot.status() },
  { name: 'history', what: '', send: (bot) => bot.history() },
];

/** The end of trading. */
export const ending: readonly Step[] = [{ name: 'stop', what: '', send: (bot) => bot.stop() }];

/** Trading goes on, for those who want to watch. */
export const resumption: readonly Step[] = [{ name: 'start', what: 'again', send: (bot) => bot.start() }];
