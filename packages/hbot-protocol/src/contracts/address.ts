/** Where a bot lives: `{namespace}/{instance_id}`, in the spellings of the two dialects. */
import { checkAddress, InvalidNameError, literal, type Name } from '@commlib/core';

/**
 * How a bot treats dots in its instance id and namespace.
 *
 * - `commlib`: Hummingbot up to 2.14 writes every `.` as `/`, so `bot.one` lives at `hbot/bot/one/…`;
 * - `aiomqtt`: 2.15 and later keeps them, `hbot/bot.one/…`;
 * - `auto`: found out from what the bot publishes.
 *
 * It makes no difference for ids without dots.
 */
export type Dialect = 'commlib' | 'aiomqtt' | 'auto';

/** Hummingbot's default namespace. */
export const DEFAULT_NAMESPACE = 'hbot';

/** A bot's identity. */
export interface BotIdentity {
  /** The bot's `instance_id`. */
  readonly id: string;
  /** The bot's `mqtt_namespace`; may have several levels. Default `hbot`. */
  readonly namespace?: string | undefined;
  readonly dialect?: Dialect | undefined;
}

/** One way to spell a bot's topics. */
export interface Spelling {
  readonly dialect: 'commlib' | 'aiomqtt';
  /** `hbot/bot.one`, without a slash at the end. */
  readonly prefix: string;
}

/** A namespace as bots take it: one `/` or `.` at its end does not count. Throws `InvalidNameError`. */
export function checkNamespace(namespace: string): string {
  const trimmed = namespace.replace(/[./]$/, '');
  checkPart(trimmed, 'namespace');
  return trimmed;
}

/**
 * The spellings a bot's topics may have: one when the dialect is known or makes no difference, else two.
 * Throws `InvalidNameError` for ids no broker could carry.
 */
export function spellings(bot: BotIdentity): readonly [Spelling, ...Spelling[]] {
  return spellingsOf(keptPrefix(bot), bot.dialect ?? 'auto');
}

/** `{namespace}/{instance_id}` as it was given. Throws `InvalidNameError`. */
export function keptPrefix(bot: BotIdentity): string {
  checkPart(bot.id, 'instance id');
  return `${checkNamespace(bot.namespace ?? DEFAULT_NAMESPACE)}/${bot.id}`;
}

/** The same for any text. */
export function spellingsOf(text: string, dialect: Dialect): readonly [Spelling, ...Spelling[]] {
  const aiomqtt: Spelling = { dialect: 'aiomqtt', prefix: text };
  const commlib: Spelling = { dialect: 'commlib', prefix: text.replaceAll('.', '/') };
  if (dialect === 'commlib') return [commlib];
  return dialect === 'aiomqtt' || commlib.prefix === aiomqtt.prefix ? [aiomqtt] : [aiomqtt, commlib];
}

/** A name under a spelling. Dots are data: where the dialect writes slashes, the spelling has them already. */
export function under<Rest extends string>(spelling: Spelling, rest: Rest): Name<string> {
  return literal(`${spelling.prefix}/${spelling.dialect === 'commlib' ? rest.replaceAll('.', '/') : rest}`);
}

function checkPart(text: string, what: string): void {
  if (text === '') throw new InvalidNameError(text, `the ${what} is empty`);
  checkAddress(literal(text));
  if (text.split('/').includes('')) throw new InvalidNameError(text, `the ${what} has an empty level`);
  if (/[{}]/.test(text)) throw new InvalidNameError(text, `the ${what} has a brace`);
}
