/** The command line of `hbotctl`. */
import { Command, Option } from 'commander';
import { addConnectionOptions } from '../connection/flags.js';
import { botTransports, type TransportRegistry } from '../connection/transports.js';
import type { Io } from '../terminal/io.js';
import { type Cli, prepare } from '../terminal/run.js';
import { version } from '../version.js';
import { addBalance } from './commands/balance.js';
import { addBroker } from './commands/broker.js';
import { addConfig } from './commands/config.js';
import { addDiscover } from './commands/discover.js';
import { addHistory } from './commands/history.js';
import { addLifecycle } from './commands/lifecycle.js';
import { addSimulate } from './commands/simulate.js';
import { addWatch } from './commands/watch.js';
import type { GlobalFlags, Kit } from './context.js';

/** Builds the program; `registry` is replaced by tests. */
export function hbotctlProgram(io: Io, registry: TransportRegistry = botTransports): Cli {
  const program = new Command('hbotctl')
    .description('Control and watch Hummingbot bots over a message broker.')
    .version(version, '-V, --version')
    .addHelpText('after', help);
  addConnectionOptions(program, { timeoutDefault: '35' })
    .option('-n, --namespace <name>', "the bots' mqtt_namespace (default: hbot)")
    .addOption(
      new Option('--dialect <dialect>', 'how the bot writes dots in its id: commlib (up to 2.14) or aiomqtt')
        .choices(['auto', 'commlib', 'aiomqtt'])
        .default(undefined, 'auto: as it is heard'),
    )
    .option('--json', 'JSON on stdout, one line each')
    .option('--dry-run', 'show what a command would send, and send nothing')
    .option('-q, --quiet', 'no remarks on stderr, errors only');
  const kit: Kit = { io, registry };
  addDiscover(program, kit);
  addLifecycle(program, kit);
  addConfig(program, kit);
  addBalance(program, kit);
  addHistory(program, kit);
  addWatch(program, kit);
  addSimulate(program, kit);
  addBroker(program, kit);
  return { program: prepare(program, io), jsonErrors: () => program.opts<GlobalFlags>().json === true };
}

const help = `
Settings come from these options, then from the environment (HBOTCTL_BROKER or COMMLIB_BROKER, …_PASSWORD, …), then
from a file. Without any, the broker is mqtt://localhost:1883.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 no answer, 5 refused by the bot, 6 not supported.

Examples:
  $ hbotctl broker &                              a broker for trying out
  $ hbotctl simulate testbot &                    a simulated bot
  $ hbotctl discover
  $ hbotctl watch testbot
  $ hbotctl status testbot --broker mqtt://user@broker.example --password-file secret
`;
