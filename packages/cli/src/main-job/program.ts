/** The command line of the main job: `npm start -- --once`, `npm start -- --broker mqtt://host:1883`. */
import { CommlibError, strictJson } from '@commlib/core';
import { DEFAULT_NAMESPACE } from '@commlib/hbot-protocol';
import { Command } from 'commander';
import { startBroker } from '../broker/embedded.js';
import { connectionLines } from '../connection/events.js';
import { addConnectionOptions, type ConnectionFlags, settingsOf } from '../connection/flags.js';
import { withNode } from '../connection/session.js';
import { botTransports } from '../connection/transports.js';
import { journal } from '../hbotctl/show/journal.js';
import { resolveSettings, type Settings, targetOf } from '../settings/resolve.js';
import type { Io } from '../terminal/io.js';
import { type Cli, prepare } from '../terminal/run.js';
import { toJson } from '../terminal/text.js';
import { runJob } from './job.js';
import type { Tally } from './tally.js';

interface Flags extends ConnectionFlags {
  readonly once?: boolean;
  readonly bot: string;
  readonly json?: boolean;
}

/** Builds the program. */
export function mainJob(io: Io): Cli {
  const program = new Command('npm start --')
    .description(
      'Runs everything at once: an MQTT broker inside this process, a simulated bot, and a controller that discovers it, ' +
        'sends it every command and shows what it publishes, until Ctrl-C.',
    )
    .option('--once', 'end after every command was answered; the exit code is 0 only if everything worked')
    .option('--bot <id>', 'id of the simulated bot', 'testbot')
    .option('-n, --namespace <name>', `first part of the topics (default: ${DEFAULT_NAMESPACE})`)
    .option('--json', 'JSON lines instead of text')
    .addHelpText(
      'after',
      '\nExamples:\n  $ npm start\n  $ npm start -- --once\n  $ npm start -- --broker mqtt://localhost:1883\n',
    );
  addConnectionOptions(program, { timeoutDefault: '10' }).action((flags: Flags) => run(io, flags));
  return { program: prepare(program, io), jsonErrors: () => program.opts<Flags>().json === true };
}

async function run(io: Io, flags: Flags): Promise<void> {
  // Only an explicit broker is used: a variable left over from something else must not send commands to real bots.
  const embedded = flags.broker === undefined ? await startBroker() : undefined;
  try {
    const settings = embedded
      ? resolveSettings([
          { name: 'the embedded broker', given: { broker: embedded.url, namespace: flags.namespace } },
        ])
      : await settingsOf(io, flags, ['COMMLIB']);
    const tally = await connect(io, flags, settings, embedded !== undefined);
    if (flags.json) io.out.write(`${toJson({ stream: 'summary', ts: new Date(), ...tally.record() })}\n`);
    else io.out.write(`\n${tally.text(io.out.colours)}\n`);
    if (flags.once) io.signal.throwIfAborted();
    if (!tally.good && !io.signal.aborted) throw new CommlibError('INCOMPLETE', failureOf(tally));
  } finally {
    await embedded?.close();
  }
}

async function connect(io: Io, flags: Flags, settings: Settings, embedded: boolean): Promise<Tally> {
  const write = journal(io, flags.json === true);
  const where = targetOf(settings);
  const broker = embedded ? `an embedded broker at ${where}` : where;
  const text = `using ${broker}${flags.once ? '' : '; Ctrl-C ends'}`;
  const lines = connectionLines();
  const session = { io, settings, registry: botTransports };
  const controller = {
    ...session,
    onEvent: (event: Parameters<typeof lines>[0]) => {
      const line = lines(event);
      if (line) write({ source: 'connection', ...line });
    },
  };
  // What a real bot writes.
  const bot = {
    ...session,
    nodeOptions: { codec: strictJson(), envelope: { timestamps: 'ms', agent: 'commlib' } as const },
  };
  return withNode(controller, (controllerNode) =>
    withNode(bot, (botNode) => {
      write({ source: 'broker', text, tone: 'plain', record: { broker: where, embedded } });
      return runJob({
        id: flags.bot,
        namespace: settings.namespace ?? DEFAULT_NAMESPACE,
        botNode,
        controllerNode,
        shared: !embedded,
        inboxPrefix: settings.inboxPrefix,
        once: flags.once === true,
        signal: io.signal,
        write,
      });
    }),
  );
}

function failureOf(tally: Tally): string {
  const failed = tally.results.filter(({ good }) => !good).map(({ command }) => command);
  const parts = [];
  if (failed.length > 0) parts.push(`failed: ${failed.join(', ')}`);
  if (tally.silent.length > 0) parts.push(`nothing received of: ${tally.silent.join(', ')}`);
  return parts.join('; ') || 'not every command was sent';
}
