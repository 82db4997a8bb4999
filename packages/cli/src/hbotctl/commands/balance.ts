/** `balance limit` and `balance paper`. */
import { type Command, InvalidArgumentError } from 'commander';
import { runBotCommand } from '../bot-command.js';
import type { Kit } from '../context.js';
import { botCommand, examples } from '../syntax.js';

/** Adds both under `balance`. */
export function addBalance(program: Command, kit: Kit): void {
  const balance = program
    .command('balance')
    .description('limit what strategies may use, or set paper balances');

  botCommand(balance, 'limit', 'limit what strategies may use of an asset')
    .argument('<exchange>', 'such as kucoin')
    .argument('<asset>', 'such as USDT')
    .argument('<amount>', 'a number; a negative one removes the limit', amount)
    .addHelpText(
      'after',
      examples('balance limit testbot kucoin USDT 100', 'balance limit testbot kucoin USDT -1'),
    )
    .action((id: string, exchange: string, asset: string, value: number, _flags: object, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) => bot.balanceLimit({ exchange, asset, amount: value }, options),
        show: (_reply, { say }) =>
          say(
            value < 0
              ? `${id} accepted: no limit on ${asset} at ${exchange}`
              : `${id} accepted: at most ${value} ${asset} at ${exchange}`,
          ),
      }),
    );

  botCommand(balance, 'paper', 'set a balance of the paper account')
    .argument('<asset>', 'such as USDT')
    .argument('<amount>', 'a number', amount)
    .addHelpText('after', examples('balance paper testbot USDT 1000'))
    .action((id: string, asset: string, value: number, _flags: object, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) => bot.balancePaper({ asset, amount: value }, options),
        show: (_reply, { say }) => say(`${id} accepted: ${value} ${asset} on paper`),
      }),
    );
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('A number.');
  return value;
}
