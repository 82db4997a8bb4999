import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { InvalidNameError } from '../errors.js';
import { FilterTree, matches } from './matcher.js';
import { checkAddress, checkFilter, commlibPattern, isPattern, levelsOf, literal, toName } from './name.js';
import { extract, fill, type ParametersOf, parameterLevels, toFilter } from './parameters.js';

describe('names', () => {
  test('dots and slashes separate levels alike; in literal names only slashes do', () => {
    expect(levelsOf(toName('a.b/c'))).toEqual(['a', 'b', 'c']);
    expect(levelsOf(literal('a.b/c'))).toEqual(['a.b', 'c']);
  });

  test.each(['', 'a\0b', 'a/+', '#', 'a+b', 'x\ud800'])('%j cannot be sent to', (text) => {
    expect(() => checkAddress(toName(text))).toThrow(InvalidNameError);
  });

  test.each(['a+/b', 'a/#/b', 'a/b#', '', 'a\0'])('%j is no filter', (text) => {
    expect(() => checkFilter(toName(text))).toThrow(InvalidNameError);
  });

  test.each(['+', '#', 'a/+/b', 'a.#', '+.+'])('%j is a filter with wildcards', (text) => {
    checkFilter(toName(text));
    expect(isPattern(toName(text))).toBe(true);
  });

  test("commlib's patterns know * only and cannot be sent to", () => {
    checkFilter(commlibPattern('a.*'));
    expect(() => checkFilter(commlibPattern('a.+'))).toThrow(InvalidNameError);
    expect(() => checkAddress(commlibPattern('a.b'))).toThrow(InvalidNameError);
  });
});

describe('parameters', () => {
  test('are typed by the name', () => {
    expectTypeOf<ParametersOf<'a/{x}/b.{y}'>>().toEqualTypeOf<{ readonly x: string; readonly y: string }>();
    expectTypeOf<keyof ParametersOf<'a/b'>>().toEqualTypeOf<never>();
  });

  test('are filled in, left open in filters, and read back', () => {
    const name = toName('devices/{id}/{part}');
    expect(fill(name, { id: '7', part: 'x y' }).text).toBe('devices/7/x y');
    expect(toFilter(name, { part: 'door' }).text).toBe('devices/+/door');
    expect(extract(parameterLevels(name), ['devices', '7', 'door'])).toEqual({ id: '7', part: 'door' });
  });

  test.each(['', '+', 'a/b', 'a.b', '#', 'x\0'])('the value %j is refused', (value) => {
    expect(() => fill(toName('a/{id}'), { id: value })).toThrow(InvalidNameError);
  });

  test('a dot is allowed in the values of a literal name', () => {
    expect(fill(literal('hbot/{id}/hb'), { id: 'bot.one' }).text).toBe('hbot/bot.one/hb');
  });

  test('a value that looks like a replacement pattern is taken as it is', () => {
    expect(fill(toName('a/{id}'), { id: '$&' }).text).toBe('a/$&');
  });

  test('a value that looks like a parameter is not filled in again', () => {
    const name = toName('a/{x}/{y}');
    expect(fill(name, { x: '{y}', y: 'b' }).text).toBe('a/{y}/b');
    expect(toFilter(name, { x: '{y}' }).text).toBe('a/{y}/+');
  });

  test.each(['a/{my-id}/b', 'a/{}', 'a/{a b}', 'a/x{id}'])(
    '%s is refused, not sent to as it stands',
    (text) => {
      expect(() => parameterLevels(toName(text))).toThrow(/is no parameter/);
    },
  );

  test('a missing one is an error, an inherited property is not a value', () => {
    expect(() => fill(toName('a/{toString}'), {})).toThrow(/toString is missing/);
  });

  test('must be whole levels and occur once', () => {
    expect(() => parameterLevels(toName('a/x{id}'))).toThrow(InvalidNameError);
    expect(() => parameterLevels(toName('{id}/{id}'))).toThrow(InvalidNameError);
  });
});

const TABLE: readonly [string, string, boolean][] = [
  ['a/b', 'a/b', true],
  ['a/b', 'a/c', false],
  ['a/b', 'a', false],
  ['a', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['a/+', 'a/', true],
  ['+/+', '/a', true],
  ['+', '/a', false],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '$SYS/x', false],
  ['+/x', '$SYS/x', false],
  ['$SYS/#', '$SYS/x', true],
  ['a/#', 'a/$b', true],
  ['a/+/c', 'a/b/c', true],
  ['a//c', 'a//c', true],
  ['a/+/c', 'a//c', true],
];

describe('matching', () => {
  test.each(TABLE)('%s against %s: %s', (filter, address, expected) => {
    expect(matches(filter.split('/'), address.split('/'))).toBe(expected);
    const tree = new FilterTree<string>();
    tree.add(filter.split('/'), filter);
    const found: string[] = [];
    tree.match(address.split('/'), (value) => found.push(value));
    expect(found).toEqual(expected ? [filter] : []);
  });

  const level = fc.constantFrom('a', 'b', '', '$s', 'toString', '__proto__');
  const address = fc.array(level, { minLength: 1, maxLength: 5 });
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 4 }), fc.boolean())
    .map(([levels, rest]) => (rest || levels.length === 0 ? [...levels, '#'] : levels));

  test('the tree finds exactly the filters that match, also after some were taken away', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 30 }), fc.array(fc.nat(29)), address, (filters, gone, at) => {
        const tree = new FilterTree<number>();
        for (const [i, f] of filters.entries()) tree.add(f, i);
        const removed = new Set(gone.filter((i) => i < filters.length));
        for (const i of removed) tree.delete(filters[i] as string[], i);
        const found: number[] = [];
        tree.match(at, (i) => found.push(i));
        const expected = filters.flatMap((f, i) => (!removed.has(i) && matches(f, at) ? [i] : []));
        expect(found.sort((x, y) => x - y)).toEqual(expected);
      }),
    );
  });
});
