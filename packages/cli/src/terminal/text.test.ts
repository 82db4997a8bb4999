import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clip, oneLine, printable, table, toJson } from './text.js';

test('JSON is what JSON.parse reads back, for any JSON value', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => toJson(value) === JSON.stringify(value)));
});

test('JSON has nothing in it that a terminal obeys, and loses nothing by that', () => {
  const hostile = '\u001b[31m\u009b2J\u202e\u007f';
  expect(toJson(hostile)).toBe('"\\u001b[31m\\u009b2J\\u202e\\u007f"');
  expect(JSON.parse(toJson(hostile))).toBe(hostile);
});

test('what JSON has no word for', () => {
  expect(toJson({ a: Number.NaN, b: [Number.POSITIVE_INFINITY], c: 2n ** 70n, d: undefined })).toBe(
    '{"a":null,"b":[null],"c":1180591620717411303424}',
  );
  expect(toJson(undefined)).toBe('null');
  expect(toJson({ at: new Date(0), no: new Date(1e300) })).toBe(
    '{"at":"1970-01-01T00:00:00.000Z","no":null}',
  );
});

test('no text from outside moves the cursor, changes the colour or turns the line round', () => {
  expect(printable('a\u001b[31mb\u009bc\u202ed\re\tf\ng')).toBe('a\\x1b[31mb\\x9bc\\u202ed\\x0de\tf\ng');
  expect(oneLine('a \r\n  b\n\nc')).toBe('a ⏎ b ⏎ c');
  expect(oneLine(' a \n \n\tb \n')).toBe(' a ⏎ b ⏎ ');
  expect(oneLine('  a  ')).toBe('  a  ');
});

test('a text of a million spaces takes no time', () => {
  const begun = performance.now();
  oneLine(`${' '.repeat(1_000_000)}x\n${' '.repeat(1_000_000)}x`);
  expect(performance.now() - begun).toBeLessThan(8_000); // by its square it would take minutes
});

test('columns are as wide as their widest cell, the last one as it is', () => {
  expect(
    table([
      ['a', 'bbb', 'c'],
      ['aa', 'b', 'cc'],
    ]),
  ).toBe('a   bbb  c\naa  b    cc');
  expect(table([['k', 'v']], (cell, _row, column) => (column === 0 ? `<${cell}>` : cell))).toBe('<k>  v');
  expect(clip('abcdef', 4)).toBe('abc…');
  expect(clip('abcd', 4)).toBe('abcd');
});
