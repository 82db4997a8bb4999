/** What a bot does when it is told to. */
import type { Request } from '@commlib/core';
import type { CommandName, ServedReply, ServedRequest } from '../schemas/commands/index.js';

/** What a handler may answer: nothing (200), or the fields that differ from the plain answer. */
export type HandlerReply<C extends CommandName> = Partial<ServedReply<C>>;

// biome-ignore lint/suspicious/noConfusingVoidType: handlers that return nothing are functions of type void
type Answer<C extends CommandName> = HandlerReply<C> | undefined | void;

/** Called for each command. Throw {@link CommandRejected} (or return `status: 400`) to refuse. */
export type CommandHandler<C extends CommandName> = (
  request: ServedRequest<C>,
  context: Request<ServedRequest<C>>,
) => Answer<C> | Promise<Answer<C>>;

/** Handlers by command. Those left out answer 400, so that nobody waits for an answer in vain. */
export type CommandHandlers = { readonly [C in CommandName]?: CommandHandler<C> | undefined };

/**
 * Thrown by a handler: the bot answers 400 with this text.
 *
 * @example
 * ```ts
 * throw new CommandRejected('The bot is already running - please run "stop" first');
 * ```
 */
export class CommandRejected extends Error {
  override readonly name = 'CommandRejected';
}

/** The plain answers, their fields in the order of the real bots. */
const PLAIN: { readonly [C in CommandName]: Required<ServedReply<C>> } = {
  start: { status: 200, msg: '' },
  stop: { status: 200, msg: '' },
  config: { changes: [], config: {}, status: 200, msg: '' },
  import: { status: 200, msg: '' },
  status: { status: 200, msg: '', data: '' },
  history: { status: 200, msg: '', trades: [] },
  'balance/limit': { status: 200, msg: '', data: null },
  'balance/paper': { status: 200, msg: '', data: null },
  command_shortcuts: { success: [], status: 200, msg: '' },
};

/** The whole answer. A field that the handler gives as `undefined` is left out. */
export function completeReply<C extends CommandName>(command: C, given: Answer<C>): ServedReply<C> {
  const plain: ServedReply<C> = PLAIN[command];
  return { ...plain, ...given };
}

/** The answer to a refused command. */
export function refusal<C extends CommandName>(command: C, msg: string): ServedReply<C> {
  // On an error real bots write an empty text where the balance commands otherwise say null.
  const data = command.startsWith('balance/') ? { data: '' } : {};
  return { ...completeReply(command, undefined), ...data, status: 400, msg };
}
