/** Sends commands to one bot and says what became of them. */
import { CommlibError, type Node, type RPCClient } from '@commlib/core';
import type { Spelling } from '../contracts/address.js';
import { commandContract } from '../contracts/bot.js';
import type { CommandName, CommandReply, CommandRequest } from '../schemas/commands/index.js';
import type { SpellingFinder } from './dialect.js';
import { HbotCommandError, HbotNoReplyError } from './errors.js';
import { possibleReasons } from './no-reply.js';
import type { CommandOptions } from './options.js';
import type { PresenceTracker } from './presence.js';
import { redact } from './redact.js';

/** A bot sends its heartbeat every 10 s. */
export const HEARTBEAT_WAIT_MS = 12_000;
/** A bot's own limit for the work of a command. */
const BOTS_LIMIT_MS = 30_000;

/** What a commander needs. */
export interface CommanderOptions {
  readonly node: Node;
  readonly botId: string;
  readonly spelling: SpellingFinder;
  readonly tracker: PresenceTracker;
  readonly timeoutMs: number;
  readonly inboxPrefix: (spelling: Spelling) => string;
  readonly revealSecrets: boolean;
}

/** One per client. */
export class Commander {
  readonly #options: CommanderOptions;
  readonly #inFlight = new Set<AbortController>();
  #closed: Error | undefined;

  constructor(options: CommanderOptions) {
    this.#options = options;
  }

  /** The bot's answer, whatever its `status` is. */
  async request<C extends CommandName>(
    command: C,
    data: CommandRequest<C>,
    { timeoutMs = this.#options.timeoutMs, signal }: CommandOptions = {},
  ): Promise<CommandReply<C>> {
    const { tracker, spelling, revealSecrets } = this.#options;
    const begun = performance.now();
    const where = await spelling.find(Math.min(timeoutMs, HEARTBEAT_WAIT_MS), signal);
    if (where === undefined) throw this.#silence(command, timeoutMs, true);
    const leftMs = Math.max(1, timeoutMs - (performance.now() - begun));
    const sentAt = Date.now();
    // One for each command: a signal shared by many would warn of too many listeners.
    const abort = new AbortController();
    this.#inFlight.add(abort);
    try {
      const either = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
      const reply = await this.#client(command, where).call(data, { timeoutMs: leftMs, signal: either });
      tracker.replied(sentAt);
      return command === 'config' && !revealSecrets ? redact(reply) : reply;
    } catch (error) {
      if (this.#closed && abort.signal.aborted) throw this.#closed;
      if (CommlibError.is(error, 'TIMEOUT') || CommlibError.is(error, 'NO_RECEIVER'))
        throw this.#silence(command, timeoutMs, false, error);
      throw error;
    } finally {
      this.#inFlight.delete(abort);
    }
  }

  /** The bot's answer, if it is 200. Throws {@link HbotCommandError} otherwise. */
  async run<C extends CommandName>(
    command: C,
    data: CommandRequest<C>,
    options?: CommandOptions,
  ): Promise<CommandReply<C>> {
    const reply = await this.request(command, data, options);
    const { status }: { status: number } = reply;
    if (status !== 200) throw new HbotCommandError(this.#options.botId, command, reply);
    return reply;
  }

  /** Commands in flight, and later ones, end with this error. */
  close(error: Error): void {
    this.#options.spelling.close(error);
    this.#closed = error;
    for (const abort of this.#inFlight) abort.abort(error);
  }

  /** Clients hold nothing: one is made for each command that is sent. */
  #client<C extends CommandName>(
    command: C,
    where: Spelling,
  ): RPCClient<ReturnType<typeof commandContract<C>>> {
    const { node, inboxPrefix } = this.#options;
    return node.client(commandContract(where, command), { inboxPrefix: inboxPrefix(where) });
  }

  #silence(
    command: CommandName,
    timeoutMs: number,
    spellingUnknown: boolean,
    cause?: unknown,
  ): HbotNoReplyError {
    const { tracker, botId } = this.#options;
    const { presence } = tracker;
    const shorterThanTheBots = timeoutMs <= BOTS_LIMIT_MS;
    const nobody = CommlibError.is(cause, 'NO_RECEIVER');
    const reasons = possibleReasons({ command, presence, spellingUnknown, nobody, shorterThanTheBots });
    return new HbotNoReplyError(botId, command, timeoutMs, presence, reasons, { cause });
  }
}
