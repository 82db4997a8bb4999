/** `config`: lists or changes the bot's configuration. */
import { CommlibError, json } from '@commlib/core';
import type { CommandReply, ConfigParam } from '@commlib/hbot-protocol';
import type { Command } from 'commander';
import { UsageError } from '../../terminal/exit-codes.js';
import { oneLine, table, toJson } from '../../terminal/text.js';
import { runBotCommand } from '../bot-command.js';
import type { Context, Kit } from '../context.js';
import { botCommand, examples } from '../syntax.js';

const codec = json();

/** Adds it. */
export function addConfig(program: Command, kit: Kit): void {
  botCommand(program, 'config', 'list the configuration, or set keys to values')
    .argument('[key-value...]', 'pairs of a dotted key and its value: JSON, or else text')
    .addHelpText(
      'after',
      examples(
        'config testbot',
        'config testbot mqtt_bridge.mqtt_autostart 1',
        'config testbot mqtt_bridge.mqtt_autostart true mqtt_bridge.mqtt_ssl false',
      ),
    )
    .action((id: string, words: string[], _flags: object, command: Command) => {
      const params = readPairs(words);
      return runBotCommand(kit, command, id, {
        send: (bot, options) => bot.config(params, options),
        show: (reply, context) =>
          params.length > 0 ? showChanges(reply, context) : showConfig(id, reply, context),
        showRefused: showChanges,
      });
    });
}

/** `key value key value` as the protocol has it. Values are JSON where they are JSON, else text. */
export function readPairs(words: readonly string[]): ConfigParam[] {
  if (words.length % 2 !== 0) {
    throw new UsageError(`KEY and VALUE come in pairs, ${JSON.stringify(words.at(-1))} has no value`);
  }
  const pairs: ConfigParam[] = [];
  for (let i = 0; i < words.length; i += 2) pairs.push([words[i] ?? '', readValue(words[i + 1] ?? '')]);
  return pairs;
}

function readValue(text: string): unknown {
  try {
    return codec.decode(new TextEncoder().encode(text));
  } catch (error) {
    if (CommlibError.is(error)) return text;
    throw error;
  }
}

function showChanges({ changes }: CommandReply<'config'>, { say }: Context): void {
  for (const [key, value] of changes) say(`accepted ${oneLine(key)} = ${oneLine(toJson(value))}`);
}

function showConfig(id: string, { config }: CommandReply<'config'>, { say, note, io }: Context): void {
  const rows = [...flatten('', config)].map(([key, value]) => [oneLine(key), oneLine(toJson(value))]);
  if (rows.length > 0)
    say(table(rows, (cell, _row, column) => (column === 0 ? io.out.colours.cyan(cell) : cell)));
  else note(`${id} answered 200 and lists no configuration (Hummingbot does since 1.15)`);
}

/** Leaves with their dotted paths; `client` and `strategy` come first as the bot sends them. */
function* flatten(path: string, value: unknown): Generator<[string, unknown]> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    Object.keys(value).length === 0
  ) {
    if (path !== '') yield [path, value];
    return;
  }
  for (const [key, item] of Object.entries(value)) yield* flatten(path === '' ? key : `${path}.${key}`, item);
}
