/** What a command can end in, besides the errors of core. */
import { CommlibError, type CommlibErrorOptions } from '@commlib/core';
import type { CommandName, CommandReply } from '../schemas/commands/index.js';
import type { BotPresence } from './presence.js';
import { type CommandErrorReason, hintFor, reasonOf } from './reasons.js';

/**
 * The bot answered, and the answer was no (`status` 400).
 *
 * `reason` tells the known refusals apart. `reply` is the whole answer: a `config` command on Hummingbot 2.7 to 2.18
 * lists there what it applied all the same.
 *
 * @example
 * ```ts
 * try {
 *   await bot.start({ script: 'simple_pmm' });
 * } catch (error) {
 *   if (error instanceof HbotCommandError && error.reason === 'already-running') await bot.stop();
 *   else throw error;
 * }
 * ```
 */
export class HbotCommandError<C extends CommandName = CommandName> extends CommlibError {
  override readonly name: string = 'HbotCommandError';
  readonly command: C;
  readonly status: number;
  /** The bot's own words. */
  readonly msg: string;
  readonly reason: CommandErrorReason;
  /** What to do about it, where there is something to say. */
  readonly hint: string | undefined;
  readonly reply: CommandReply<C>;

  constructor(botId: string, command: C, reply: CommandReply<C>) {
    const { status, msg }: { status: number; msg: string } = reply;
    const reason = reasonOf(msg);
    const hint = hintFor(reason);
    super(
      'COMMAND_REFUSED',
      `${command} refused by bot ${botId} (${status}): ${msg}${hint ? ` [${hint}]` : ''}`,
      {
        context: { bot: botId, command, status, reason },
      },
    );
    this.command = command;
    this.status = status;
    this.msg = msg;
    this.reason = reason;
    this.hint = hint;
    this.reply = reply;
  }
}

/**
 * The bot did not answer in time. Whether it acted is not known, unless the `cause` is core's `NoReceiverError`: then the broker
 * said at once that nobody takes the command, and nothing was executed.
 *
 * `possibleReasons` are those that fit what was seen of the bot, most likely first.
 */
export class HbotNoReplyError extends CommlibError {
  override readonly name: string = 'HbotNoReplyError';
  readonly command: CommandName;
  readonly timeoutMs: number;
  /** What was known of the bot when the wait ended. */
  readonly bot: BotPresence;
  /** Heartbeats of this bot were seen while the client was open. */
  readonly heartbeatSeen: boolean;
  readonly possibleReasons: readonly string[];

  constructor(
    botId: string,
    command: CommandName,
    timeoutMs: number,
    bot: BotPresence,
    possibleReasons: readonly string[],
    options?: CommlibErrorOptions,
  ) {
    const seen =
      bot.heartbeat === undefined
        ? 'none of its heartbeats was seen'
        : `its heartbeats were seen, it is ${bot.state}`;
    const how = CommlibError.is(options?.cause, 'NO_RECEIVER')
      ? ': nobody at the broker takes it'
      : ` within ${timeoutMs} ms`;
    super(
      'NO_REPLY',
      `no reply from bot ${botId} to ${command}${how}; ${seen}. Possible: ${possibleReasons.join('; ')}`,
      {
        ...options,
        context: { bot: botId, command, timeoutMs, state: bot.state },
      },
    );
    this.command = command;
    this.timeoutMs = timeoutMs;
    this.bot = bot;
    this.heartbeatSeen = bot.heartbeat !== undefined;
    this.possibleReasons = possibleReasons;
  }
}
