/** Why a bot answered 400, told from the words it uses. The texts are those of Hummingbot 1.12 to 2.18. */

/**
 * - `unsupported-on-this-version`: the release lost this command (2.7 to 2.18 answer with a Python AttributeError);
 * - `unsupported-headless`: works only in the bot's own user interface;
 * - `nothing-loaded`: no strategy was imported, no script named;
 * - `not-running`: no strategy is running;
 * - `already-running`: stop first;
 * - `no-trades-yet`: a strategy is loaded but was never started, so there is no trade database;
 * - `invalid-params`: an unknown configuration key, an empty name;
 * - `not-found`: the file does not exist on the bot's machine;
 * - `timeout`: the bot's own 30 s went by;
 * - `other`: read `msg`.
 */
export type CommandErrorReason =
  | 'unsupported-on-this-version'
  | 'unsupported-headless'
  | 'nothing-loaded'
  | 'not-running'
  | 'already-running'
  | 'no-trades-yet'
  | 'invalid-params'
  | 'not-found'
  | 'timeout'
  | 'other';

const RULES: readonly (readonly [RegExp, CommandErrorReason])[] = [
  [/has no attribute 'clear_input'/, 'unsupported-headless'],
  [/has no attribute 'get_new_session'/, 'no-trades-yet'],
  [/^'NoneType' object has no attribute 'value'/, 'invalid-params'],
  [/object has no attribute '|unexpected keyword argument/, 'unsupported-on-this-version'],
  [/please import or create a strategy/i, 'nothing-loaded'],
  [/no strategy is currently running/i, 'not-running'],
  [/already running/i, 'already-running'],
  [/timed out/i, 'timeout'],
  [/No such file or directory|file .*not (?:found|exist)/i, 'not-found'],
  [/invalid param|empty strategy_name|has no len\(\)|not supported between instances/i, 'invalid-params'],
];

/** Reads a bot's error text. */
export function reasonOf(msg: string): CommandErrorReason {
  // What matters comes early, and some of the patterns take long over long texts.
  const text = msg.slice(0, 2_000);
  return RULES.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';
}

const HINTS: Readonly<Partial<Record<CommandErrorReason, string>>> = {
  'unsupported-on-this-version':
    'this Hummingbot release cannot do it over MQTT (start, status and config have been broken since 2.7)',
  'unsupported-headless': 'a headless Hummingbot cannot do it; it works only in one with its user interface',
  'nothing-loaded': 'import a strategy first, or name a script',
  'already-running': 'stop the strategy first',
  'no-trades-yet': 'start the strategy once, so that there is a trade database',
  timeout: 'it may still be at work; look at its log',
};

/** What to do about it, where there is something to say. */
export function hintFor(reason: CommandErrorReason): string | undefined {
  return HINTS[reason];
}
