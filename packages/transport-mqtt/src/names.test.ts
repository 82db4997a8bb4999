import { CommlibError, commlibPattern, literal, toName } from '@commlib/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inboxBase } from './inbox.js';
import { checkFilterText, checkGroup, checkTopic, mqttNames, replyTopic } from './names.js';

const code = (act: () => unknown): string | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return CommlibError.is(error) ? error.code : String(error);
  }
};

describe('names on MQTT', () => {
  test('dots and slashes of plain names become slashes, literal names stay', () => {
    expect(mqttNames.address(toName('a.b/c'))).toBe('a/b/c');
    expect(mqttNames.address(literal('hbot/bot.one/hb'))).toBe('hbot/bot.one/hb');
    expect(mqttNames.filter(toName('a.+.#'))).toBe('a/+/#');
    expect(mqttNames.filter(literal('a.b/+'))).toBe('a.b/+');
    expect(mqttNames.levels('a/b.c//d')).toEqual(['a', 'b.c', '', 'd']);
  });

  // The table of commlib-py 0.12 and later (mqtt.py, _transform_topic).
  test.for([
    ['a.*', 'a/#'],
    ['a.*.b', 'a/+/b'],
    ['a.*.*.b', 'a/+/+/b'],
    ['a/*', 'a/#'],
    ['*', '#'],
    ['a.b', 'a/b'],
  ] as const)('the commlib pattern %s is %s', ([pattern, filter]) => {
    expect(mqttNames.filter(commlibPattern(pattern))).toBe(filter);
  });

  test.for(['*.b', 'sensors*', 'a.**', 'a.+'])('the commlib pattern %s is refused, as there', (pattern) => {
    expect(code(() => mqttNames.filter(commlibPattern(pattern)))).toBe('INVALID_NAME');
  });

  test('whatever the text: a valid topic of MQTT or InvalidNameError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('plain', 'literal'), (text, kind) => {
        const refused = code(() => mqttNames.address({ text, kind }));
        if (refused !== undefined) return refused === 'INVALID_NAME';
        const topic = mqttNames.address({ text, kind });
        return topic.length > 0 && !/[+#\0]/.test(topic);
      }),
    );
  });

  test('whatever a peer asks to answer to: a valid topic or InvalidNameError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (replyTo) => {
        const refused = code(() => replyTopic(replyTo));
        if (refused !== undefined) return refused === 'INVALID_NAME';
        return (
          replyTopic(replyTo) === replyTo.replaceAll('.', '/') && !/[+#\0.]|^\$/.test(replyTopic(replyTo))
        );
      }),
    );
    expect(code(() => replyTopic(JSON.parse('{}')))).toBe('INVALID_NAME');
    expect(code(() => replyTopic(JSON.parse('null')))).toBe('INVALID_NAME');
  });

  test('65 535 bytes of UTF-8 are the limit', () => {
    expect(code(() => checkTopic('x'.repeat(65_535)))).toBeUndefined();
    expect(code(() => checkTopic('x'.repeat(65_536)))).toBe('INVALID_NAME');
    expect(code(() => checkTopic('ü'.repeat(32_768)))).toBe('INVALID_NAME');
    expect(code(() => checkFilterText('ü'.repeat(32_768)))).toBe('INVALID_NAME');
  });

  test('$share belongs to groups', () => {
    expect(code(() => checkFilterText('$share/g/a'))).toBe('INVALID_NAME');
    expect(code(() => checkTopic('$share/g/a'))).toBe('INVALID_NAME');
    expect(code(() => checkFilterText('$SYS/#'))).toBeUndefined();
    expect(code(() => checkGroup('g'))).toBeUndefined();
    expect(code(() => checkGroup('a/b'))).toBe('INVALID_NAME');
  });

  test('reply addresses have no dots and begin with the prefix', () => {
    expect(inboxBase(undefined)).toMatch(/^rpc-[0-9a-f]{32}$/);
    expect(inboxBase('hbot.replies/')).toMatch(/^hbot\/replies\/rpc-[0-9a-f]{32}$/);
    expect(inboxBase(undefined)).not.toBe(inboxBase(undefined));
  });
});
