/** The contracts of one bot: every topic and every command, typed. */
import { rpc, type TopicContract, topic } from '@commlib/core';
import { type CommandName, commands } from '../schemas/commands/index.js';
import { event } from '../schemas/events/index.js';
import { performance } from '../schemas/performance.js';
import {
  externalEvent,
  heartbeat,
  logRecord,
  mlSignal,
  notification,
  statusUpdate,
} from '../schemas/streams.js';
import { checkNamespace, type Spelling, under } from './address.js';

/** What a bot publishes, by the end of its topic. */
export const streams = {
  hb: heartbeat,
  events: event,
  notify: notification,
  log: logRecord,
  status_updates: statusUpdate,
  performance,
} as const;

/** `'hb' | 'events' | 'notify' | 'log' | 'status_updates' | 'performance'` */
export type StreamName = keyof typeof streams;

/** The topic of one stream. */
export function streamContract<S extends StreamName>(
  spelling: Spelling,
  stream: S,
): TopicContract<string, (typeof streams)[S]> {
  return topic(under(spelling, stream), streams[stream]);
}

/** A command as a client calls it: strict requests, tolerant replies. */
export function commandContract<C extends CommandName>(spelling: Spelling, command: C) {
  const { request, reply }: (typeof commands)[C] = commands[command];
  return rpc(under(spelling, command), { request, response: reply });
}

/** A command as a bot serves it: lenient requests with defaults. */
export function serviceContract<C extends CommandName>(spelling: Spelling, command: C) {
  const { served, reply }: (typeof commands)[C] = commands[command];
  return rpc(under(spelling, command), { request: served, response: reply });
}

/** All external events of a bot, as the bot subscribes to them. */
export function externalEventsContract(spelling: Spelling) {
  return topic(under(spelling, 'external/event/#'), externalEvent);
}

/**
 * Signals for the controllers of the kind `ai_livestream`, which belong to no bot.
 *
 * @param pair BASE-QUOTE.
 * @param prefix The controller's `topic` setting. Default `hbot/predictions`.
 */
export function mlSignalContract(pair: string, prefix = 'hbot/predictions') {
  const spelling: Spelling = { dialect: 'aiomqtt', prefix: checkNamespace(prefix) };
  return topic(under(spelling, `${pair.toLowerCase().replaceAll('-', '_')}/ML_SIGNALS`), mlSignal);
}
