import { literal, toName } from '@commlib/core';
import { describe, expect, test } from 'vitest';
import { checkGroup, isInternal, kafkaNames, replyTopic } from './names.js';

const { address, filter, levels } = kafkaNames;

describe('names', () => {
  test('slashes become dots, everything else stays', () => {
    expect(address(toName('robots/r-1/pose_x'))).toBe('robots.r-1.pose_x');
    expect(address(literal('a.b/c'))).toBe('a.b.c');
    expect(levels('a.b.c')).toEqual(['a', 'b', 'c']);
  });

  test.for(['a b', 'ü', 'a:b', 'a*', 'x$', '.', '..', '', 'a\0', 'x'.repeat(250)])(
    '%j is refused',
    (name) => {
      expect(() => address(toName(name))).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
    },
  );

  test('a name of 249 characters is the longest', () => {
    expect(address(toName('x'.repeat(249)))).toHaveLength(249);
  });

  test('wildcards in filters only, as levels of their own', () => {
    expect(filter(toName('a/+/c/#'))).toBe('a.+.c.#');
    expect(filter(toName('#'))).toBe('#');
    expect(() => address(toName('a/+'))).toThrow();
    expect(() => filter(toName('a+/b'))).toThrow();
    expect(() => filter(toName('a/#/b'))).toThrow();
    expect(() => filter(toName('a b/+'))).toThrow();
    expect(() => filter({ text: 'a.*', kind: 'commlib' })).toThrow(/no wildcards/);
  });

  test('answers go where commlib-py says, never to the broker’s own topics', () => {
    expect(replyTopic('rpc-reply-0a')).toBe('rpc-reply-0a');
    expect(replyTopic('ns/rpc-reply-0a')).toBe('ns.rpc-reply-0a');
    for (const evil of ['__consumer_offsets', '', 'a b', '#', '..']) expect(() => replyTopic(evil)).toThrow();
    expect(isInternal('__transaction_state')).toBe(true);
  });

  test('groups have a name', () => {
    checkGroup('billing: north');
    for (const bad of ['', 'a\nb', 'x'.repeat(250)]) expect(() => checkGroup(bad)).toThrow();
  });
});
