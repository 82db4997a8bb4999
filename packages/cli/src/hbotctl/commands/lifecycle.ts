/** `start`, `stop`, `import`, `status`. */
import type { Command } from 'commander';
import { printable } from '../../terminal/text.js';
import { runBotCommand } from '../bot-command.js';
import type { Kit } from '../context.js';
import { botCommand, examples } from '../syntax.js';

interface StartFlags {
  readonly script?: string;
  readonly conf?: string;
  readonly v2Conf?: string;
  readonly logLevel?: string;
  readonly quickstart?: boolean;
  readonly async?: boolean;
}

/** Adds them. */
export function addLifecycle(program: Command, kit: Kit): void {
  botCommand(program, 'start', 'start the imported strategy, or a script')
    .option('--script <file>', "a file in the bot's scripts folder")
    .option('--conf <file>', "a file in the bot's conf/scripts, with .yml (Hummingbot 1.24 and later)")
    .option('--v2-conf <file>', 'for bots that know it; up to 2.18 it is ignored')
    .option('--log-level <level>', 'such as INFO or DEBUG')
    .option('--quickstart', 'as if started by hummingbot_quickstart.py')
    .option('--async', 'let the bot answer before its checks are done')
    .addHelpText(
      'after',
      examples('start testbot', 'start testbot --script simple_pmm --conf conf_simple_pmm.yml'),
    )
    .action((id: string, flags: StartFlags, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) =>
          bot.start(
            {
              script: flags.script,
              conf: flags.conf,
              v2Conf: flags.v2Conf,
              logLevel: flags.logLevel,
              isQuickstart: flags.quickstart,
              asyncBackend: flags.async,
            },
            options,
          ),
        show: ({ msg }, { say, note }) => {
          say(`${id} accepted start${msg ? `: ${printable(msg)}` : ''}`);
          note(`whether the strategy runs shows in what it publishes: hbotctl watch ${id}`);
        },
      }),
    );

  botCommand(program, 'stop', 'stop the strategy and cancel its orders')
    .option('--skip-order-cancellation', 'leave open orders on the exchange')
    .option('--async', 'let the bot answer before the strategy has wound down')
    .addHelpText('after', examples('stop testbot', 'stop testbot --dry-run'))
    .action((id: string, flags: { skipOrderCancellation?: boolean; async?: boolean }, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) =>
          bot.stop(
            { skipOrderCancellation: flags.skipOrderCancellation, asyncBackend: flags.async },
            options,
          ),
        show: ({ msg }, { say }) => say(`${id} stopped${msg ? `: ${printable(msg)}` : ''}`),
      }),
    );

  botCommand(program, 'import', "load a strategy's configuration")
    .argument('<strategy>', "the name of a file in the bot's conf/strategies, without .yml")
    .addHelpText('after', examples('import testbot conf_liquidity_mining_1'))
    .action((id: string, strategy: string, _flags: object, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) => bot.importStrategy(strategy, options),
        show: ({ msg }, { say }) => say(`${id} imported ${strategy}${msg ? `: ${printable(msg)}` : ''}`),
      }),
    );

  botCommand(program, 'status', "show the strategy's status")
    .addHelpText('after', examples('status testbot', 'status testbot --json | jq -r .msg'))
    .action((id: string, _flags: object, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) => bot.status({}, options),
        show: ({ msg }, { say }) => say(msg ? printable(msg) : `${id} answered 200, without a text`),
      }),
    );
}
