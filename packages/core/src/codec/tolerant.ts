/**
 * A JSON reader for what `JSON.parse` refuses or rounds: bare `NaN`, `Infinity`, `-Infinity` (ujson writes them) and
 * integers beyond 2^53 (which become `bigint`). Everything else is standard JSON, strictly.
 */
import { DecodeError } from '../errors.js';

/** Arrays and objects within each other. */
export const MAX_DEPTH = 500;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
];

/** Throws {@link DecodeError} `MALFORMED` with the place of the first fault. */
export function parseTolerant(text: string): unknown {
  let at = 0;

  const fail = (what: string): DecodeError =>
    new DecodeError('MALFORMED', `not JSON: ${what} at position ${at}`, { context: { position: at } });

  const space = () => {
    for (;;) {
      const c = text.charCodeAt(at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      at++;
    }
  };

  const string = (): string => {
    const start = at++;
    for (;;) {
      const c = text.charCodeAt(at);
      if (c === 34) break;
      if (Number.isNaN(c)) throw fail('a string without its end');
      at += c === 92 ? 2 : 1;
    }
    at++;
    try {
      return JSON.parse(text.slice(start, at));
    } catch {
      at = start;
      throw fail('a bad string');
    }
  };

  const number = (): number | bigint => {
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (match === null) throw fail(at >= text.length ? 'an early end' : 'an unexpected character');
    at += match[0].length;
    const value = Number(match[0]);
    if (match[1] !== undefined || match[2] !== undefined || Number.isSafeInteger(value)) return value;
    // Beyond 10^308 it is Infinity, as for JSON.parse: millions of digits as a bigint would take seconds.
    return Number.isFinite(value) ? BigInt(match[0]) : value;
  };

  const array = (depth: number): unknown[] => {
    const items: unknown[] = [];
    at++;
    space();
    if (text[at] === ']') {
      at++;
      return items;
    }
    for (;;) {
      items.push(value(depth + 1));
      space();
      const c = text[at];
      if (c === ']') {
        at++;
        return items;
      }
      if (c !== ',') throw fail('an array without , or ]');
      at++;
    }
  };

  const object = (depth: number): Record<string, unknown> => {
    const fields: Record<string, unknown> = {};
    at++;
    space();
    if (text[at] === '}') {
      at++;
      return fields;
    }
    for (;;) {
      space();
      if (text[at] !== '"') throw fail('an object key that is no string');
      const key = string();
      if (key === '__proto__') throw new DecodeError('MALFORMED', 'an object has a key named __proto__');
      space();
      if (text[at] !== ':') throw fail('an object key without :');
      at++;
      fields[key] = value(depth + 1);
      space();
      const c = text[at];
      if (c === '}') {
        at++;
        return fields;
      }
      if (c !== ',') throw fail('an object without , or }');
      at++;
    }
  };

  const value = (depth: number): unknown => {
    if (depth > MAX_DEPTH) throw fail(`nested deeper than ${MAX_DEPTH}`);
    space();
    const c = text[at];
    if (c === '{') return object(depth);
    if (c === '[') return array(depth);
    if (c === '"') return string();
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    return number();
  };

  const result = value(0);
  space();
  if (at < text.length) throw fail('something after the value');
  return result;
}
