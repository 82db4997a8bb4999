/** Text that is safe to print: bots and brokers send whatever they like, terminals obey escape sequences. */
import { json } from '@commlib/core';

const codec = json();
const decoder = new TextDecoder();

/** Control characters except tab and line feed, and the two-way text controls that can make a line lie. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Foreign text for a terminal: control characters become visible (`\x1b`). */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** The same on one line. */
export function oneLine(text: string): string {
  return printable(joinLines(text, ' ⏎ '));
}

/** Lines become one, without the space around the breaks and without empty lines. */
export function joinLines(text: string, mark: string): string {
  // No pattern of the kind \s*\n\s*: over a long run of spaces it takes the square of its length.
  const [first = '', ...rest] = text.split(/[\r\n]+/);
  if (rest.length === 0) return first;
  const last = rest.pop() ?? '';
  const between = rest.map((line) => line.trim()).filter((line) => line !== '');
  return [first.trimEnd(), ...between, last.trimStart()].join(mark);
}

/** At most so many characters, the rest as an ellipsis. */
export function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/**
 * JSON on one line, as every JSON reader takes it: numbers that are not finite become `null`, a `bigint` its digits. What
 * a terminal might obey is escaped, which changes nothing for a reader.
 */
export function toJson(value: unknown): string {
  const text = decoder.decode(codec.encode(finite(value ?? null)));
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function finite(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  // A time beyond what a Date can hold: whoever sent it wanted something else than to tell the time.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(finite);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, finite(item)]));
}

/** Rows as columns of equal width, two spaces apart. Cells are plain text; `paint` colours a padded cell. */
export function table(
  rows: readonly (readonly string[])[],
  paint: (cell: string, row: number, column: number) => string = (cell) => cell,
): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [x, cell] of row.entries()) widths[x] = Math.max(widths[x] ?? 0, cell.length);
  }
  return rows
    .map((row, y) =>
      row.map((cell, x) => paint(x === row.length - 1 ? cell : cell.padEnd(widths[x] ?? 0), y, x)).join('  '),
    )
    .join('\n');
}
