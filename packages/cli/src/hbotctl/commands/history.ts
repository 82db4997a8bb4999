/** `history`: the trades of the strategy that is loaded. */
import type { Trade } from '@commlib/hbot-protocol';
import { type Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../../connection/flags.js';
import { printable, table } from '../../terminal/text.js';
import { runBotCommand } from '../bot-command.js';
import type { Kit } from '../context.js';
import { botCommand, examples } from '../syntax.js';

/** Adds it. */
export function addHistory(program: Command, kit: Kit): void {
  botCommand(program, 'history', 'list the trades of the strategy that is loaded')
    .option('--days <n>', "of the last so many days (default: since the bot's process started)", days)
    .option('--verbose', 'ask the bot for more')
    .option('--precision <digits>', 'digits after the point', wholeNumber)
    .addHelpText('after', examples('history testbot --days 1', 'history testbot --json | jq -c .trades[]'))
    .action((id: string, flags: { days?: number; verbose?: boolean; precision?: number }, command: Command) =>
      runBotCommand(kit, command, id, {
        send: (bot, options) => bot.history(flags, options),
        show: ({ trades, msg }, { say, io }) => {
          if (trades.length === 0) return say(msg ? printable(msg) : `${id} has no trades`);
          const { bold } = io.out.colours;
          say(
            table([HEADING, ...trades.map(rowOf)], (cell, row) => (row === 0 ? bold(cell) : printable(cell))),
          );
        },
      }),
    );
}

const HEADING = ['time', 'market', 'symbol', 'side', 'price', 'quantity', 'fee'];

function rowOf(trade: Trade): string[] {
  return [
    timeOf(trade.trade_timestamp),
    trade.market,
    trade.symbol,
    trade.trade_type,
    // numpy's form has a point without digits: "70."
    trade.price.replace(/\.$/, ''),
    trade.quantity.replace(/\.$/, ''),
    feeOf(trade),
  ];
}

function feeOf({ raw_json }: Trade): string {
  const fee = raw_json?.trade_fee;
  if (!fee) return '';
  const percent = Number((Number(fee.percent) * 100).toPrecision(6));
  const parts = fee.flat_fees.map(({ amount, token }) => `${amount} ${token}`);
  if (percent !== 0) parts.unshift(`${percent} %`);
  return parts.join(' + ') || '0';
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace('T', ' ').slice(0, 19);
}

function days(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('A number of days above 0.');
  return value;
}
