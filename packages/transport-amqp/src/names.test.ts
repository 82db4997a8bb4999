import { commlibPattern, literal, toName } from '@commlib/core';
import { describe, expect, test } from 'vitest';
import { stricter } from './groups.js';
import { namesFor, part, replyKey } from './names.js';

describe('names as they are', () => {
  const names = namesFor('amqp');

  test('addresses are kept', () => {
    for (const text of ['a.b', 'a/b', 'a*b', 'a.*']) expect(names.address(toName(text))).toBe(text);
    expect(names.address(literal('a.b/c'))).toBe('a.b/c');
  });

  test('wildcards stand between dots', () => {
    expect(names.filter(toName('a.+.#'))).toBe('a.*.#');
    expect(names.filter(toName('a/b.c'))).toBe('a/b.c');
    expect(names.filter(commlibPattern('a.*.b'))).toBe('a.#.b');
    expect(() => names.filter(toName('a/+'))).toThrow(/names: 'mqtt'/);
    expect(() => names.filter(toName('a.*'))).toThrow(/wildcard/);
  });

  test('what AMQP cannot carry is refused', () => {
    for (const text of ['', 'a\0', 'x'.repeat(256), 'é'.repeat(128), '\ud800'])
      expect(() => names.address(toName(text))).toThrow(/invalid name/);
    expect(names.address(toName('é'.repeat(127)))).toHaveLength(127);
  });

  test('levels are those of the name', () => {
    expect(names.levels('a.b/c')).toEqual(['a', 'b', 'c']);
    expect(names.levels('a.b/c', 'literal')).toEqual(['a.b', 'c']);
  });

  test('a reply address that no answer can be sent to', () => {
    for (const replyTo of ['amq.rabbitmq.reply-to', '', 'x'.repeat(300)])
      expect(() => names.checkReply?.(replyTo)).toThrow(/invalid name/);
    names.checkReply?.('amq.rabbitmq.reply-to.g1h2');
  });
});

describe('names as MQTT endpoints of the same broker spell them', () => {
  const names = namesFor('mqtt');

  test('slashes become dots', () => {
    expect(names.address(toName('a/b.c'))).toBe('a.b.c');
    expect(names.address(literal('a/b.c'))).toBe('a.b.c');
    expect(names.filter(toName('a/+/#'))).toBe('a.*.#');
    expect(names.filter(literal('a/b.c/+'))).toBe('a.b.c.*');
    expect(names.filter(commlibPattern('a.*.b.*'))).toBe('a.*.b.#');
    expect(names.levels('a.b')).toEqual(['a', 'b']);
  });

  test('answers go to the key of the reply topic', () => {
    expect(replyKey('rpc-1/17')).toBe('rpc-1.17');
    for (const hostile of ['', '#', 'a/+', 'a/*', '$SYS/x', 'x'.repeat(300), 'a\0'])
      expect(() => replyKey(hostile)).toThrow(/invalid name/);
  });
});

test('where the broker matches more than we do, it is matched again', () => {
  expect(stricter('a.b')).toBeUndefined();
  expect(stricter('a.#.b')).toBeUndefined();
  const one = stricter('a.*');
  expect(one?.('a.b')).toBe(true);
  expect(one?.('a.b/c')).toBe(false);
  const all = stricter('#');
  expect(all?.('a.b/c')).toBe(true);
  expect(all?.('$SYS.x')).toBe(false);
});

test('parts of queue names cannot be mistaken for one another', () => {
  expect(part('a:b%c')).toBe('a%3Ab%25c');
});
