/** DATA and URI as they are typed. */
import { CommlibError, commlibPattern, json, literal, type Name, toName } from '@commlib/core';
import { UsageError } from '../terminal/exit-codes.js';

const codec = json();

/**
 * JSON from the command line.
 *
 * @param what `DATA`, `--reply`: named in the message.
 * @throws {@link UsageError} with the position of the fault and, where it is a common one, the remedy.
 */
export function parseData(text: string, what: string): unknown {
  try {
    return codec.decode(new TextEncoder().encode(text));
  } catch (error) {
    if (!CommlibError.is(error)) throw error;
    const at = error.context.position;
    const why = error.message.replace(/^not JSON: /, '');
    const near = typeof at === 'number' ? `, here: ${excerpt(text, at)}` : '';
    const remedy = remedyFor(text);
    throw new UsageError(`${what} is not JSON: ${why}${near}${remedy ? `. ${remedy}` : ''}`);
  }
}

function excerpt(text: string, at: number): string {
  const begin = Math.max(0, at - 20);
  const end = Math.min(text.length, at + 20);
  return `${begin > 0 ? '…' : ''}${text.slice(begin, at)}▶${text.slice(at, end)}${end < text.length ? '…' : ''}`;
}

function remedyFor(text: string): string | undefined {
  if (text.trim() === '') return "An empty object is written '{}'";
  if (/^\s*[{[].*'/.test(text)) return 'JSON has double quotes';
  if (/\b(?:None|True|False)\b/.test(text)) return 'JSON writes null, true and false';
  if (/^\s*\{\s*[A-Za-z_]/.test(text))
    return `Keys and strings need double quotes, and the whole DATA single ones: '{"key": "value"}'`;
  if (/^\s*[A-Za-z]/.test(text)) return `Text needs double quotes: '"text"'`;
  return undefined;
}

/** How the URI is to be read. */
export interface UriOptions {
  /** Dots are data, only `/` separates levels. */
  readonly literal?: boolean | undefined;
}

/** A topic or RPC name: `.` and `/` separate levels, unless `--literal` is given. */
export function addressName(uri: string, { literal: keepsDots }: UriOptions): Name {
  return keepsDots ? literal(uri) : toName(uri);
}

/** What to subscribe to: `+` and `#`, or commlib-py's `*`. */
export function filterName(uri: string, options: UriOptions): Name {
  if (!uri.includes('*')) return addressName(uri, options);
  if (options.literal) throw new UsageError('with --literal the wildcards are + and #, not *');
  return commlibPattern(uri);
}
