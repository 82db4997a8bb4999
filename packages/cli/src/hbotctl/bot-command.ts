/** The frame of a command that is sent to one bot: connect, send, show the answer, or with `--dry-run` what would be sent. */
import { HbotClient, HbotCommandError, redact } from '@commlib/hbot-protocol';
import type { Command } from 'commander';
import { printable, toJson } from '../terminal/text.js';
import { type Context, connected, type GlobalFlags, type Kit } from './context.js';

/** A remark is made when an answer takes this long. */
const PATIENCE_MS = 3_000;
/** A bot that runs has sent a heartbeat by then. */
const HEARTBEAT_MS = 12_000;

/** Sends something to a bot and resolves with its answer. */
export type Send<R> = (bot: HbotClient, options: { readonly signal: AbortSignal }) => Promise<R>;

/** What is special of a command. */
export interface BotCommand<R> {
  readonly send: Send<R>;
  /** Shows a good answer to people; with `--json` the answer itself is printed instead. */
  readonly show: (reply: R, context: Context) => void;
  /** Shows what a refusal still brought (people only). */
  readonly showRefused?: ((reply: R, context: Context) => void) | undefined;
}

/**
 * Runs a command against a bot.
 *
 * @throws {@link HbotCommandError} after showing the answer; what the client throws.
 */
export async function runBotCommand<R>(
  kit: Kit,
  command: Command,
  id: string,
  { send, show, showRefused }: BotCommand<R>,
): Promise<void> {
  const dry = command.optsWithGlobals<GlobalFlags>().dryRun === true;
  const work = async (context: Context) => {
    const bot = await openBot(context, id);
    try {
      if (dry) return await rehearse(bot, send, context);
      const stopRemarks = remarkOnSilence(bot, context);
      try {
        const reply = await send(bot, { signal: context.io.signal });
        context.record(reply);
        if (!context.flags.json) show(reply, context);
      } catch (error) {
        if (error instanceof HbotCommandError) {
          context.record(error.reply);
          // The reply is of the command that was sent.
          if (!context.flags.json) showRefused?.(error.reply as R, context);
        }
        throw error;
      } finally {
        stopRemarks();
      }
    } finally {
      await bot.close();
    }
  };
  await connected(command, kit, work, { dry });
}

/** A client for the bot that the command names. */
export function openBot({ node, namespace, dialect, settings }: Context, id: string): Promise<HbotClient> {
  return HbotClient.open(node, {
    id,
    namespace,
    dialect,
    timeoutMs: settings.timeoutMs,
    inboxPrefix: settings.inboxPrefix,
  });
}

/** Marks the end of a rehearsal; never leaves this file. */
class Rehearsed extends Error {}

/** Lets the command run up to the point where it would be sent, and shows what that is. */
async function rehearse<R>(bot: HbotClient, send: Send<R>, context: Context): Promise<void> {
  context.node.use({
    async call({ address, data: sent }) {
      const data = redact(sent);
      context.record({ dryRun: true, topic: address, data });
      context.say(`would send to ${printable(address)} at ${context.where}:\n${printable(toJson(data))}`);
      throw new Rehearsed();
    },
  });
  try {
    await send(bot, { signal: context.io.signal });
  } catch (error) {
    if (!(error instanceof Rehearsed)) throw error;
  }
}

/** An answer may take half a minute; a mistyped id never gets one. Says so in good time. */
function remarkOnSilence(bot: HbotClient, context: Context): () => void {
  const limit = (context.settings.timeoutMs ?? 35_000) / 1000;
  const answer = setTimeout(() => {
    context.note(`no answer from ${bot.id} yet; waiting up to ${limit} s (--timeout)`);
  }, PATIENCE_MS);
  const stop = remarkOnAbsence(bot, context);
  return () => {
    clearTimeout(answer);
    stop();
  };
}

/** Doubts the id when a heartbeat would have come. */
export function remarkOnAbsence(bot: HbotClient, { note }: Context): () => void {
  const heartbeat = setTimeout(() => {
    if (bot.presence.heartbeat) return;
    note(
      `no heartbeat of ${bot.id} so far: is the id right? 'hbotctl discover' lists the bots that can be heard`,
    );
  }, HEARTBEAT_MS);
  return () => clearTimeout(heartbeat);
}
