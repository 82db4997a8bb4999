/** Every command of a bot: the end of its topic, and its three schemas. */
import type { InputOf, OutputOf } from '@commlib/core';
import {
  balanceLimitRequest,
  balanceLimitServed,
  balancePaperRequest,
  balancePaperServed,
  balanceReply,
} from './balance.js';
import { configReply, configRequest, configServed } from './config.js';
import { historyReply, historyRequest, historyServed } from './history.js';
import {
  importReply,
  importRequest,
  importServed,
  startReply,
  startRequest,
  startServed,
  statusReply,
  statusRequest,
  statusServed,
  stopReply,
  stopRequest,
  stopServed,
} from './lifecycle.js';
import { shortcutsReply, shortcutsRequest, shortcutsServed } from './shortcuts.js';

/**
 * The commands, by the end of their topic (`{namespace}/{instance_id}/{name}`).
 *
 * `request` is strict and is what a client may send, because a real bot gives *no reply at all* to data it cannot
 * read; `served` is what a bot accepts, with its defaults; `reply` is read tolerantly.
 */
export const commands = {
  start: { request: startRequest, served: startServed, reply: startReply },
  stop: { request: stopRequest, served: stopServed, reply: stopReply },
  config: { request: configRequest, served: configServed, reply: configReply },
  import: { request: importRequest, served: importServed, reply: importReply },
  status: { request: statusRequest, served: statusServed, reply: statusReply },
  history: { request: historyRequest, served: historyServed, reply: historyReply },
  'balance/limit': { request: balanceLimitRequest, served: balanceLimitServed, reply: balanceReply },
  'balance/paper': { request: balancePaperRequest, served: balancePaperServed, reply: balanceReply },
  command_shortcuts: { request: shortcutsRequest, served: shortcutsServed, reply: shortcutsReply },
} as const;

/** `'start' | 'stop' | 'config' | 'import' | 'status' | 'history' | 'balance/limit' | 'balance/paper' | 'command_shortcuts'` */
export type CommandName = keyof typeof commands;
/** What a client sends. */
export type CommandRequest<C extends CommandName> = InputOf<(typeof commands)[C]['request']>;
/** What a bot's handler gets: every field there, defaults applied. */
export type ServedRequest<C extends CommandName> = OutputOf<(typeof commands)[C]['served']>;
/** What a client gets. */
export type CommandReply<C extends CommandName> = OutputOf<(typeof commands)[C]['reply']>;
/** What a bot's handler returns. */
export type ServedReply<C extends CommandName> = InputOf<(typeof commands)[C]['reply']>;

/** A trade of the `history` reply. */
export type Trade = CommandReply<'history'>['trades'][number];

/** The names of all commands, in the order of the protocol's description. */
export const commandNames = Object.keys(commands) as readonly CommandName[];
