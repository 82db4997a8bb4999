/** Names as users write them and Redis's own: kept, with the wildcards as globs. */
import {
  checkAddress,
  checkFilter,
  InvalidNameError,
  levelsOf,
  type Name,
  type NameMapping,
} from '@commlib/core';

/** Redis takes keys and channels up to 512 MB; whoever answers to such an address pays for it. */
const MAX_LENGTH = 4_096;

export const redisNames: NameMapping = {
  address(name) {
    checkAddress(name);
    checkLength(name.text);
    return name.text;
  },
  filter(name) {
    checkFilter(name);
    checkLength(name.text);
    return toFilter(name);
  },
  levels: (address, kind) => levelsOf({ text: address, kind: kind ?? 'plain' }),
  checkReply(replyTo) {
    checkAddress({ text: replyTo, kind: 'literal' });
    checkLength(replyTo);
  },
};

function checkLength(text: string): void {
  if (text.length > MAX_LENGTH) throw new InvalidNameError(text, `longer than ${MAX_LENGTH} characters`);
}

/** The characters that mean something in a glob of Redis (`stringmatchlen`). */
const SPECIAL = /[*?[\]\\]/g;

/**
 * A filter is a glob that Redis understands. It reads any number of stars as one, and a backslash before a slash as nothing;
 * we write with them what the glob alone does not tell:
 *
 * - `*` is one level, `**` the rest and the parent too, `***` commlib-py's star, which is any text;
 * - `\/` (or `****`, when it is all) says that only slashes separate levels, since the name is literal.
 */
function toFilter(name: Name): string {
  if (name.kind === 'commlib') return name.text.split(/\*+/).map(escaped).join('***');
  const literal = name.kind === 'literal';
  if (!levelsOf(name).some((level) => level === '+' || level === '#')) return escaped(name.text);
  if (literal && name.text === '+') return '****';
  return name.text
    .split(literal ? /(\/)/ : /([./])/)
    .map((part) => {
      if (part === '+') return '*';
      if (part === '#') return '**';
      return literal && part === '/' ? '\\/' : escaped(part);
    })
    .join('');
}

function escaped(text: string): string {
  return text.replace(SPECIAL, '\\$&');
}

/** A filter, read. */
export type Filter =
  | { readonly channel: string }
  | {
      /** As Redis is asked. */
      readonly glob: string;
      /** The texts between the stars. */
      readonly pieces: readonly string[];
      /** For the tree; undefined for commlib-py's globs, which know no levels. */
      readonly levels: readonly string[] | undefined;
      readonly literal: boolean;
      /** `a.#` matches `a` too, which the glob does not. */
      readonly parent: string | undefined;
    };

/** @throws `InvalidNameError` for a glob with `?` or `[`, which {@link redisNames} never writes. */
export function readFilter(filter: string): Filter {
  const pieces: string[] = [''];
  const stars: number[] = [];
  let literal = filter === '****';
  for (const [token, quoted, run] of filter.matchAll(/\\([\s\S])|(\*+)|[\s\S]/g)) {
    if (run !== undefined) {
      stars.push(run.length);
      pieces.push('');
      continue;
    }
    if (quoted === '/') literal = true;
    else if (quoted === undefined && /[?[\]\\]/.test(token)) {
      throw new InvalidNameError(filter, 'of the signs of a glob only * is used');
    }
    pieces[pieces.length - 1] += quoted ?? token;
  }
  if (stars.length === 0) return { channel: pieces[0] ?? '' };
  if (stars.includes(3))
    return { glob: globOf(pieces), pieces, levels: undefined, literal: false, parent: undefined };
  const text = pieces.reduce((before, piece, i) => `${before}${stars[i - 1] === 2 ? '#' : '+'}${piece}`);
  const levels = levelsOf({ text, kind: literal ? 'literal' : 'plain' });
  if (levels.at(-1) !== '#' || levels.length === 1)
    return { glob: globOf(pieces), pieces, levels, literal, parent: undefined };
  // The parent: a channel of its own, or with wildcards before it, a glob that is a little wider.
  if (stars.length === 1)
    return { glob: globOf(pieces), pieces, levels, literal, parent: pieces[0]?.slice(0, -1) };
  const wider = pieces.slice(0, -1);
  const before = wider.pop()?.slice(0, -1) ?? '';
  if (before !== '') wider.push(before);
  wider.push('');
  return { glob: globOf(wider), pieces: wider, levels, literal, parent: undefined };
}

function globOf(pieces: readonly string[]): string {
  return pieces.map(escaped).join('*');
}

/** Does a text match a glob, given as the texts between its stars? In time linear in the text. */
export function matchesGlob(pieces: readonly string[], text: string): boolean {
  const first = pieces[0] ?? '';
  const last = pieces.at(-1) ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (let i = 1; i < pieces.length - 1; i++) {
    const piece = pieces[i] ?? '';
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return at <= end;
}
