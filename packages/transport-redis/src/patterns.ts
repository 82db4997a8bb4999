/**
 * Which patterns to ask the server for. Redis tries every pattern of every client on every message that anybody publishes, so
 * that ten thousand of them would make each PUBLISH slow for all; a few wider ones, sorted out here, do not.
 */

/** A filter's own pattern, and the text before its first star. */
export interface Patterned {
  readonly glob: string;
  readonly prefix: string;
}

/** How many characters of the prefix a pattern keeps; Infinity: every filter has its own. */
export type Precision = number;

/** The pattern that brings this filter's messages. */
export function coverOf({ glob, prefix }: Patterned, precision: Precision): string {
  if (prefix.length <= precision) return glob;
  return `${prefix.slice(0, wholeCharacters(prefix, precision)).replace(/[*?[\]\\]/g, '\\$&')}*`;
}

/** The highest precision at which there are no more patterns than this. */
export function choosePrecision(filters: Iterable<Patterned>, most: number): Precision {
  const all = [...filters];
  const count = (precision: Precision) => new Set(all.map((one) => coverOf(one, precision))).size;
  if (count(Number.POSITIVE_INFINITY) <= most) return Number.POSITIVE_INFINITY;
  let low = 0;
  let high = Math.max(...lengths(all));
  // Fewer characters never make more patterns, but where a short filter of its own is swallowed.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (count(middle) <= most) low = middle;
    else high = middle - 1;
  }
  return low;
}

function* lengths(filters: readonly Patterned[]): Iterable<number> {
  yield 0;
  const seen = new Set<number>();
  for (const { prefix } of filters) {
    if (seen.has(prefix.length)) continue;
    seen.add(prefix.length);
    yield prefix.length;
  }
}

/** Not half of a surrogate pair. */
function wholeCharacters(text: string, length: number): number {
  const unit = text.charCodeAt(length - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? length - 1 : length;
}
