/** `simulate`: a bot that needs no Hummingbot, no exchange and no money. */
import { CommlibError, type Middleware, strictJson } from '@commlib/core';
import { redact, SimulatedBot, type SimulatorProfile } from '@commlib/hbot-protocol';
import { type Command, Option } from 'commander';
import { connectionLines } from '../../connection/events.js';
import { seconds, wholeNumber } from '../../connection/flags.js';
import { messageOf } from '../../terminal/exit-codes.js';
import { stopped } from '../../terminal/io.js';
import { clip, toJson } from '../../terminal/text.js';
import { connected, type GlobalFlags, type Kit } from '../context.js';
import { type Entry, journal } from '../show/journal.js';
import { botCommand, examples } from '../syntax.js';

const profiles = ['seed', '2.13', '2.18'] as const satisfies readonly SimulatorProfile[];

/** Of a command with its answer; `--json` has all of it. */
const LONGEST_LINE = 400;

interface SimulateFlags {
  readonly profile: SimulatorProfile;
  readonly seed: number;
  readonly running?: boolean;
  readonly heartbeat: number;
}

/** Adds it. */
export function addSimulate(program: Command, kit: Kit): void {
  botCommand(program, 'simulate', 'be a bot: answer commands, trade on paper, publish, until Ctrl-C')
    .addOption(
      new Option(
        '--profile <release>',
        'which Hummingbot it is; seed: a 1.x one in which every command works',
      )
        .choices(profiles)
        .default('seed'),
    )
    .option('--seed <n>', 'the same seed gives the same orders, ids and prices', wholeNumber, 1)
    .option('--running', 'its strategy trades from the beginning (the profile seed always does)')
    .option('--heartbeat <seconds>', 'time between heartbeats', seconds, 10)
    .addHelpText('after', examples('simulate testbot', 'simulate bot2 --profile 2.18 --running --seed 7'))
    .action((id: string, flags: SimulateFlags, command: Command) => simulate(kit, command, id, flags));
}

async function simulate(kit: Kit, command: Command, id: string, flags: SimulateFlags): Promise<void> {
  const { json, quiet } = command.optsWithGlobals<GlobalFlags>();
  const writeAlways = journal(kit.io, json === true);
  const write = quiet ? () => {} : writeAlways;
  const lines = connectionLines();
  await connected(
    command,
    kit,
    async ({ node, namespace, where, say, record }) => {
      node.use(commandsOf(write));
      const bot = await SimulatedBot.start({
        node,
        id,
        namespace,
        profile: flags.profile,
        seed: flags.seed,
        running: flags.running,
        heartbeatMs: flags.heartbeat * 1000,
        onError: (error) => {
          if (CommlibError.is(error, 'NOT_CONNECTED')) return; // The connection speaks for itself.
          const text = messageOf(error);
          write({ source: 'error', text, tone: 'bad', record: { error: text } });
        },
      });
      try {
        record({ bot: id, namespace, profile: flags.profile, broker: where });
        say(
          `${id} is simulated at ${where} under ${namespace}/${id}/ (profile ${flags.profile}; Ctrl-C ends)`,
        );
        await stopped(kit.io.signal);
      } finally {
        await bot.close();
      }
    },
    {
      // What a real bot writes: negative integers as text, milliseconds in the headers of answers.
      nodeOptions: { codec: strictJson(), envelope: { timestamps: 'ms', agent: 'commlib' } },
      onEvent: (event) => {
        const line = lines(event);
        if (line) write({ source: 'connection', ...line });
      },
    },
  );
}

/** Shows each command that is executed, with its answer. */
function commandsOf(write: (entry: Entry) => void): Middleware {
  return {
    async serve({ request }, next) {
      const { address } = request;
      const data = redact(request.data);
      try {
        const reply = await next();
        const text = clip(`${address} ${toJson(data)} → ${toJson(reply)}`, LONGEST_LINE);
        write({ source: 'command', text, tone: 'plain', record: { topic: address, data, reply } });
        return reply;
      } catch (error) {
        const text = CommlibError.is(error) ? error.code : messageOf(error);
        write({
          source: 'command',
          text: `${address} ${toJson(data)} failed: ${text}`,
          tone: 'bad',
          record: { topic: address, data, error: text },
        });
        throw error;
      }
    },
  };
}
