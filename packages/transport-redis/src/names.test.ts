import { commlibPattern, literal, matches, toName } from '@commlib/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inboxBase, ownInbox } from './inbox.js';
import { matchesGlob, readFilter, redisNames } from './names.js';
import { choosePrecision, coverOf } from './patterns.js';

describe('names on Redis', () => {
  test('are kept', () => {
    expect(redisNames.address(toName('a.b/c'))).toBe('a.b/c');
    expect(redisNames.address(literal('a.b/c'))).toBe('a.b/c');
    expect(redisNames.levels('a.b/c')).toEqual(['a', 'b', 'c']);
    expect(redisNames.levels('a.b/c', 'literal')).toEqual(['a.b', 'c']);
  });

  test.for([
    [toName('a.+'), 'a.*', undefined],
    [toName('a.#'), 'a.*', 'a'],
    [toName('a.+.#'), 'a.*', undefined],
    [toName('a.+.b.#'), 'a.*.b*', undefined],
    [toName('#'), '*', undefined],
    [literal('x.y/+'), 'x.y/*', undefined],
    [literal('x.y/#'), 'x.y/*', 'x.y'],
    [toName('w[e]?ird.+'), 'w\\[e\\]\\?ird.*', undefined],
    [commlibPattern('a.*'), 'a.*', undefined],
    [commlibPattern('sensors*'), 'sensors*', undefined],
  ] as const)('%j asks the server for %s', ([name, glob, parent]) => {
    expect(readFilter(redisNames.filter(name))).toMatchObject({ glob, parent });
  });

  test('without wildcards a filter is a channel, whatever characters it has', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        fc.pre(!/[+#\0]/.test(text));
        expect(readFilter(redisNames.filter(toName(text)))).toEqual({ channel: text });
      }),
    );
  });

  test('whatever a plain filter matches, its glob (or its parent) does too, and its levels are kept', () => {
    const level = fc.constantFrom('a', 'b', '*', '?', '[x]', '\\', '+', '');
    const filters = fc.tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean());
    fc.assert(
      fc.property(
        filters,
        fc.array(fc.constantFrom('a', 'b', '*', '\\', ''), { minLength: 1, maxLength: 5 }),
        ([levels, rest], address) => {
          const filter = rest ? [...levels, '#'] : levels;
          fc.pre(filter.join('.') !== '' && address.join('.') !== '');
          const read = readFilter(redisNames.filter(toName(filter.join('.'))));
          const text = address.join('.');
          if ('channel' in read) {
            expect(matches(filter, address)).toBe(read.channel === text);
            return;
          }
          expect(read.levels).toEqual(filter);
          if (matches(filter, address))
            expect(matchesGlob(read.pieces, text) || read.parent === text).toBe(true);
        },
      ),
    );
  });

  test('a glob of another kind is refused', () => {
    for (const filter of ['a?b*', 'a[bc]', 'a\\']) expect(() => readFilter(filter)).toThrow(/glob/);
  });

  test('globs are matched in time linear in the text', () => {
    const pieces = readFilter(Array.from({ length: 50 }, () => 'a***').join('')) as {
      pieces: readonly string[];
    };
    expect(matchesGlob(pieces.pieces, 'a'.repeat(100_000))).toBe(true);
    expect(matchesGlob([...pieces.pieces, 'b'], 'a'.repeat(100_000))).toBe(false);
    expect(matchesGlob(['a', 'a'], 'a')).toBe(false);
  });
});

describe('patterns at the server', () => {
  const filter = (prefix: string) => ({ prefix, glob: `${prefix}*` });

  test('as many as allowed, each as narrow as can be', () => {
    const filters = Array.from({ length: 10_000 }, (_, i) => filter(`plant.line.d${i}.`));
    const precision = choosePrecision(filters, 64);
    const covers = new Set(filters.map((one) => coverOf(one, precision)));
    expect(covers.size).toBe(10);
    expect(covers).toContain('plant.line.d7*');
    expect(choosePrecision(filters.slice(0, 64), 64)).toBe(Number.POSITIVE_INFINITY);
  });

  test('every filter is covered, and no character is cut in two', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 10 }),
        (prefixes, most) => {
          const filters = prefixes.map(filter);
          const precision = choosePrecision(filters, most);
          for (const one of filters) {
            const cover = coverOf(one, precision);
            expect(cover).toBe(Buffer.from(cover).toString());
            if (cover !== one.glob)
              expect(one.prefix.startsWith(cover.slice(0, -1).replace(/\\(.)/gs, '$1'))).toBe(true);
          }
          if (Number.isFinite(precision) && precision > 0)
            expect(new Set(filters.map((one) => coverOf(one, precision))).size).toBeLessThanOrEqual(most);
        },
      ),
    );
  });
});

describe('reply addresses', () => {
  test('of our inboxes tell the list and the call; others are lists of their own', () => {
    for (const base of [inboxBase(undefined, false), inboxBase('users.me.', false), inboxBase('x', true)])
      expect(ownInbox(`${base}/17`)).toEqual({ list: base, head: '17\n' });
    for (const other of [
      'rpc-0cb96d05c2484a9898378421bd3e2a04',
      `${inboxBase(undefined, false)}`,
      'rpc-x/all/1',
      'a/1',
    ])
      expect(ownInbox(other)).toBeUndefined();
  });
});
