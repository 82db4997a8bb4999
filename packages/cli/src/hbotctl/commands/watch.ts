/** `watch`: a live view of everything a bot publishes. */
import type { StreamName } from '@commlib/hbot-protocol';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { connectionLines } from '../../connection/events.js';
import { count, seconds } from '../../connection/flags.js';
import { stopped } from '../../terminal/io.js';
import { openBot, remarkOnAbsence } from '../bot-command.js';
import { type Context, connected, type GlobalFlags, type Kit } from '../context.js';
import { journal } from '../show/journal.js';
import { follow, isStreamName, presenceWords, streamNames } from '../show/streams.js';
import { botCommand, examples } from '../syntax.js';

interface WatchFlags {
  readonly only: readonly StreamName[];
  readonly count?: number;
  readonly duration?: number;
}

/** Adds it. */
export function addWatch(program: Command, kit: Kit): void {
  botCommand(program, 'watch', 'show what the bot publishes, until Ctrl-C')
    .addOption(
      new Option('--only <streams>', `some of ${streamNames.join(', ')}, separated by commas`)
        .default(streamNames, 'all')
        .argParser(readStreams),
    )
    .option('--count <n>', 'end after so many messages', count)
    .option('--duration <seconds>', 'end after this time', seconds)
    .addHelpText(
      'after',
      examples('watch testbot', 'watch testbot --only events,log', 'watch testbot --json | jq -c .data'),
    )
    .action((id: string, flags: WatchFlags, command: Command) => watch(kit, command, id, flags));
}

/**
 * Runs until the count or the time is reached or the process is told to stop. A lost connection is mended; that it was
 * lost, and that it is back, is part of the view.
 */
async function watch(kit: Kit, command: Command, id: string, flags: WatchFlags): Promise<void> {
  const write = journal(kit.io, command.optsWithGlobals<GlobalFlags>().json === true);
  const lines = connectionLines();
  const work = async (context: Context) => {
    const end = ending(flags.count, flags.duration);
    const bot = await openBot(context, id);
    const stopRemark = remarkOnAbsence(bot, context);
    const unfollow = bot.onPresence((presence) => {
      const words = presenceWords(id, presence);
      const { state, advice } = presence;
      // What heartbeats tell; without them it was not asked for.
      if (words && flags.only.includes('hb'))
        write({ source: 'presence', ...words, record: { bot: id, state, advice } });
    });
    try {
      await follow(bot, flags.only, (stream, data, words) => {
        if (end.reached) return;
        write({ source: stream, ...words, record: { bot: id, data } });
        end.message();
      });
      context.note(`watching ${id} at ${context.where} (Ctrl-C ends)`);
      await Promise.race([end.done, stopped(kit.io.signal)]);
      // With a count, being told to stop before it is reached is not what was asked for.
      if (flags.count !== undefined && !end.reached) kit.io.signal.throwIfAborted();
    } finally {
      end.cancel();
      stopRemark();
      unfollow();
      await bot.close();
    }
  };
  await connected(command, kit, work, {
    onEvent: (event) => {
      const line = lines(event);
      if (line) write({ source: 'connection', ...line });
    },
  });
}

/** Counts messages and time, as far as they are limited. */
function ending(limit: number | undefined, duration: number | undefined) {
  let left = limit ?? Number.POSITIVE_INFINITY;
  let finish = () => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const timer = duration === undefined ? undefined : setTimeout(finish, duration * 1000);
  return {
    done,
    get reached() {
      return left <= 0;
    },
    message() {
      left--;
      if (left <= 0) finish();
    },
    cancel: () => clearTimeout(timer),
  };
}

function readStreams(text: string): readonly StreamName[] {
  return text.split(',').map((part) => {
    const name = part.trim();
    if (!isStreamName(name)) throw new InvalidArgumentError(`Streams are ${streamNames.join(', ')}.`);
    return name;
  });
}
