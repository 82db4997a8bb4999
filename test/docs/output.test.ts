import { describe, expect, test } from 'vitest';
import { hasPrinted, plain, printed } from './output.js';

describe('the comparison with what a page says', () => {
  test('takes the same text, without colours and trailing space', () => {
    expect(printed('\u001b[32mone\u001b[0m  \ntwo\n', 'one\ntwo')).toBe(true);
    expect(printed('one\nthree', 'one\ntwo')).toBe(false);
  });

  test('an ellipsis in a line is anything on that line, and no other line', () => {
    expect(printed('at 12:00 it rang', 'at … it rang')).toBe(true);
    expect(printed('at 12\n00 it rang', 'at … it rang')).toBe(false);
  });

  test('a line of only an ellipsis is any number of lines', () => {
    expect(printed('first\na\nb\nlast', 'first\n…\nlast')).toBe(true);
    expect(printed('first\nlast', 'first\n…\nlast')).toBe(true);
    expect(printed('first\na', 'first\n…')).toBe(true);
    expect(printed('first', 'first\n…')).toBe(true);
    expect(printed('first and more', 'first\n…')).toBe(false);
    expect(printed('first\na\nlast', 'first\nlast')).toBe(false);
  });

  test('signs with a meaning in patterns are text', () => {
    expect(printed('{ sum: [1.5] } (a|b)', '{ sum: [1.5] } (a|b)')).toBe(true);
    expect(printed('{ sum: [145] }', '{ sum: [1.5] }')).toBe(false);
  });

  test('a program that still runs may have printed more, but not something else before', () => {
    expect(hasPrinted('ready\nbeat 1\nbeat 2', 'ready\nbeat 1')).toBe(true);
    expect(hasPrinted('beat 1\nready', 'ready')).toBe(false);
    expect(hasPrinted('ready to go', 'ready')).toBe(false);
  });

  test("npm's own remarks are not the program's", () => {
    expect(plain('npm warn something\nhello')).toBe('hello');
  });
});
