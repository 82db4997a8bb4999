/**
 * Names of topics and RPCs. `.` and `/` both separate levels, so that a name means the same as in commlib-py;
 * `literal()` makes dots data; `{id}` is a named parameter; `+` and `#` are wildcards.
 *
 * @module
 */
import { InvalidNameError } from '../errors.js';

/** How a name's text is to be read. */
export type NameKind = 'plain' | 'literal' | 'commlib';

/** A name with the way it is to be read. Plain strings become `plain` ones. */
export interface Name<Text extends string = string> {
  readonly text: Text;
  readonly kind: NameKind;
}

/** What users write where a name is wanted. */
export type NameInput<Text extends string = string> = Text | Name<Text>;

/**
 * A name in which dots are data and only `/` separates levels, for addresses such as those of a Hummingbot 2.15+
 * whose instance id has a dot. It still may have `{parameters}` and wildcards.
 *
 * @example
 * ```ts
 * topic(literal('hbot/bot.one/hb'), schema); // MQTT: hbot/bot.one/hb, not hbot/bot/one/hb
 * ```
 */
export function literal<const Text extends string>(text: Text): Name<Text> {
  return { text, kind: 'literal' };
}

/**
 * A pattern in commlib-py's own notation, with what it means there: on MQTT a trailing `*` is `#` and an inner one `+`;
 * on Redis `*` is a glob over everything; on AMQP `*` is `#`. Matched by the broker alone.
 */
export function commlibPattern<const Text extends string>(text: Text): Name<Text> {
  return { text, kind: 'commlib' };
}

/** A string becomes a plain name; a name stays what it is. */
export function toName<Text extends string>(input: NameInput<Text>): Name<Text> {
  return typeof input === 'string' ? { text: input, kind: 'plain' } : input;
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Throws {@link InvalidNameError} for what no broker can carry: empty, NUL, text that is not Unicode. */
export function checkText(text: string): void {
  if (typeof text !== 'string') throw new InvalidNameError(String(text), 'not a string');
  if (text === '') throw new InvalidNameError(text, 'empty');
  if (text.includes('\0')) throw new InvalidNameError(text, 'contains NUL');
  if (LONE_SURROGATE.test(text)) throw new InvalidNameError(text, 'not valid Unicode (a lone surrogate)');
}

/** The levels of a name: split at `/`, and in plain names at `.` too. */
export function levelsOf(name: Name): string[] {
  return name.kind === 'literal' ? name.text.split('/') : name.text.split(/[./]/);
}

/** True when the name has a wildcard level, so that it can be subscribed to but not sent to. */
export function isPattern(name: Name): boolean {
  if (name.kind === 'commlib') return name.text.includes('*');
  return levelsOf(name).some((level) => level === '+' || level === '#');
}

/** Throws unless the name can be sent to: no wildcard anywhere, not even inside a level. */
export function checkAddress(name: Name): void {
  checkText(name.text);
  if (/[+#]/.test(name.text)) {
    throw new InvalidNameError(name.text, 'wildcards (+ and #) cannot be sent to or served');
  }
  if (name.kind === 'commlib') throw new InvalidNameError(name.text, 'a commlib pattern cannot be sent to');
}

/** Throws unless every wildcard is a level of its own and `#` is the last level. */
export function checkFilter(name: Name): void {
  checkText(name.text);
  if (name.kind === 'commlib') {
    if (/[+#]/.test(name.text)) throw new InvalidNameError(name.text, "commlib's patterns know * only");
    return;
  }
  const levels = levelsOf(name);
  levels.forEach((level, i) => {
    if (/[+#]/.test(level) && level.length > 1) {
      throw new InvalidNameError(
        name.text,
        `a wildcard must be a level of its own, not part of ${JSON.stringify(level)}`,
      );
    }
    if (level === '#' && i !== levels.length - 1)
      throw new InvalidNameError(name.text, '# must be the last level');
  });
}
