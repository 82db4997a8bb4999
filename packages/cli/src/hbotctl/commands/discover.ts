/** `discover`: who is there. */
import { CommlibError } from '@commlib/core';
import { type DiscoveredBot, discover } from '@commlib/hbot-protocol';
import type { Command } from 'commander';
import { count } from '../../connection/flags.js';
import { printable } from '../../terminal/text.js';
import { connected, type Kit } from '../context.js';
import { examples } from '../syntax.js';

/** A bot is heard every 10 s. */
const DEFAULT_TIMEOUT_MS = 12_000;

/** Adds it. */
export function addDiscover(program: Command, kit: Kit): void {
  program
    .command('discover')
    .description('list the bots that can be heard (12 s, or --timeout)')
    .option('--count <n>', 'end as soon as so many are found', count)
    .option(
      '--deep',
      'also find ids with dots of Hummingbot up to 2.14 (listens to everything in the namespace)',
    )
    .addHelpText(
      'after',
      examples('discover', 'discover --count 1 --json', 'discover --timeout 30 --namespace hbot'),
    )
    .action((flags: { count?: number; deep?: boolean }, command: Command) =>
      connected(command, kit, async ({ io, node, namespace, settings, where, say, record, note }) => {
        const timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
        note(`listening for bots under ${namespace}/ at ${where} for ${timeoutMs / 1000} s (Ctrl-C ends)`);
        let found = 0;
        for await (const bot of discover(node, {
          namespace,
          timeoutMs,
          deep: flags.deep,
          signal: io.signal,
        })) {
          found++;
          record(recordOf(bot));
          say(lineOf(bot));
          if (found === flags.count) return;
        }
        if (found > 0 && flags.count === undefined) return;
        io.signal.throwIfAborted();
        const heard = found === 0 ? 'no bot was' : `only ${found} of ${flags.count} bots were`;
        throw new CommlibError(
          'TIMEOUT',
          `${heard} heard under ${namespace}/ at ${where} within ${timeoutMs / 1000} s`,
        );
      }),
    );
}

function lineOf({ id, online, dialect }: DiscoveredBot): string {
  const dots =
    dialect === 'auto'
      ? ''
      : ` (writes dots as ${dialect === 'commlib' ? 'slashes: Hummingbot up to 2.14' : 'dots: 2.15 and later'})`;
  return `${printable(id)}  ${online ? 'online' : 'offline'}${dots}`;
}

function recordOf({ id, namespace, dialect, online, seenAt }: DiscoveredBot) {
  return { id, namespace, dialect, online, seenAt };
}
