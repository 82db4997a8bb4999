/** Bad payloads, each with the code it is to be reported with. */
import { deflateSync } from 'node:zlib';

/** One bad payload. */
export interface Sample {
  readonly name: string;
  readonly payload: Uint8Array;
  readonly code: string;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const sample = (name: string, payload: string | Uint8Array, code = 'MALFORMED'): Sample => ({
  name,
  payload: typeof payload === 'string' ? bytes(payload) : payload,
  code,
});

/** Beyond the 16 MiB that a node takes. */
const BOMB = deflateSync(Buffer.alloc(64 * 2 ** 20, 0x20));
const FIVE_MB = 5_000_000;

/** What nothing can read, on whatever topic it comes. */
export const unreadable: readonly Sample[] = [
  sample('nothing', ''),
  sample('not JSON', 'hello'),
  sample('half of a JSON text', '{"ts": 17'),
  sample('two JSON texts', '{"ts": 1}{"ts": 2}'),
  sample('a JavaScript object', "{ts: 1, 'msg': 'x'}"),
  sample('a trailing comma', '{"ts": 1,}'),
  sample('a bare minus', '{"ts": -}'),
  sample('invalid UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d)),
  sample('a UTF-8 surrogate', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)),
  sample('UTF-16', Uint8Array.from(Buffer.from('{"ts":1}', 'utf16le'))),
  sample('zeros', new Uint8Array(64)),
  sample('5 MB of text', 'x'.repeat(FIVE_MB)),
  sample('5 MB of random bytes', pseudoRandom(FIVE_MB)),
  sample('100 000 brackets without an end', '['.repeat(100_000)),
  sample('100 000 arrays in each other', `${'['.repeat(100_000)}1${']'.repeat(100_000)}`),
  sample('50 000 objects in each other', `${'{"data":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
  sample('the same with NaN', `${'['.repeat(100_000)}NaN${']'.repeat(100_000)}`),
  sample('a zlib bomb', BOMB, 'TOO_LARGE'),
  sample('broken zlib', Uint8Array.of(0x78, 0x9c, 0x01, 0x02, 0x03, 0x04)),
  sample(
    'zlib without its end',
    deflateSync('{"ts": 1, "msg": "a text that is long enough"}').subarray(0, 20),
  ),
  sample('zlib of nothing', deflateSync('')),
  sample('zlib of zlib', deflateSync(deflateSync('{"ts": 1}'))),
];

/** `__proto__` beside otherwise good fields: added by {@link withProto}. */
export const protos: readonly string[] = [
  '"__proto__":{"polluted":true}',
  '"\\u005f_proto__":{"polluted":true}',
  '"\\u005f\\u005fproto\\u005f\\u005f":null',
  '"extra":{"deep":[{"__proto__":{"polluted":true}}]}',
  '"extra":{"deep":[{"__pr\\u006fto__":1}],"n":NaN}',
];

/** A good JSON object with a `__proto__` in it. */
export function withProto(json: string): Sample[] {
  return protos.map((member) =>
    sample(`with ${member}`, json === '{}' ? `{${member}}` : `${json.slice(0, -1)},${member}}`),
  );
}

/** JSON, but no object. */
export const noObject: readonly string[] = ['null', '5', 'true', '"text"', '[]', '[{"ts":1}]', 'NaN'];

/** A request as it is on the wire. */
export function request(replyTo: string, data: string): string {
  return `{"header":{"reply_to":${JSON.stringify(replyTo)},"timestamp":1700000000000,"content_type":"json","encoding":"utf8","agent":"commlib"},"data":${data}}`;
}

/** Bad requests for a command, given data that would be good. None may be executed. */
export function badRequests(good: string): readonly Sample[] {
  const withReply = (name: string, replyTo: string, code: string) =>
    sample(`reply_to ${name}`, request(replyTo, good), code);
  const withHeader = (name: string, header: string, code = 'MALFORMED') =>
    sample(name, `{"header":${header},"data":${good}}`, code);
  return [
    ...unreadable,
    ...noObject.map((text) => sample(`${text} instead of an envelope`, text)),
    sample('no header', `{"data":${good}}`),
    withHeader('header null', 'null'),
    withHeader('header a list', '[]'),
    withHeader('header a text', '"reply_to"'),
    withHeader('no reply_to', '{}', 'NO_REPLY_ADDRESS'),
    ...['null', '5', '{}', '["a"]', 'true', 'NaN'].map((value) =>
      withHeader(`reply_to ${value}`, `{"reply_to":${value}}`, 'NO_REPLY_ADDRESS'),
    ),
    withReply('empty', '', 'NO_REPLY_ADDRESS'),
    withReply('+', '+', 'INVALID_NAME'),
    withReply('#', '#', 'INVALID_NAME'),
    withReply('with + in it', 'hbot/+/x', 'INVALID_NAME'),
    withReply('with # at its end', 'hbot/#', 'INVALID_NAME'),
    withReply('with + within a level', 'hbot/a+b', 'INVALID_NAME'),
    withReply('with NUL', 'hbot/a\0b', 'INVALID_NAME'),
    withReply('with half a surrogate pair', 'hbot/\ud800', 'INVALID_NAME'),
    // Over these Mosquitto ends the connection of whoever publishes to them.
    withReply('with a control character', 'hbot/a\nb', 'INVALID_NAME'),
    withReply('with DEL', 'hbot/\u007f', 'INVALID_NAME'),
    withReply('with a C1 control character', 'hbot/\u0085', 'INVALID_NAME'),
    withReply('with a non-character', 'hbot/\uffff', 'INVALID_NAME'),
    withReply('with a non-character of the Arabic block', 'hbot/\ufdd0', 'INVALID_NAME'),
    withReply('with a non-character beyond the BMP', 'hbot/\u{1ffff}', 'INVALID_NAME'),
    withReply('of 300 levels', 'a/'.repeat(300), 'INVALID_NAME'),
    withReply('of 300 levels with dots', 'a.'.repeat(300), 'INVALID_NAME'),
    withReply('of 70 000 characters', `hbot/${'x'.repeat(70_000)}`, 'INVALID_NAME'),
    withReply('of 5 MB', `hbot/${'x'.repeat(FIVE_MB)}`, 'INVALID_NAME'),
    withReply('below $SYS', '$SYS/broker/load', 'INVALID_NAME'),
    withReply('of a shared subscription', '$share/group/hbot/x', 'INVALID_NAME'),
    ...protos.slice(0, 3).map((member) => withHeader(`header with ${member}`, `{"reply_to":"a",${member}}`)),
    ...withProto(good).map(({ name, payload }) =>
      sample(`data ${name}`, request('hbot/evil/proto', new TextDecoder().decode(payload))),
    ),
    sample(
      '__proto__ beside the header',
      `{"__proto__":{},"header":{"reply_to":"hbot/evil/a"},"data":${good}}`,
    ),
  ];
}

/** Texts that a careless pattern takes hours to refuse. */
export const slowTexts: readonly string[] = [
  `${'9'.repeat(1_000_000)}x`,
  `${'9'.repeat(500_000)}.${'9'.repeat(500_000)}x`,
  `1${' '.repeat(1_000_000)}x`,
  `${' '.repeat(1_000_000)}1e${'9'.repeat(500_000)}x`,
  `${'file '.repeat(200_000)}x`,
  `${'\\n '.repeat(300_000)}x`,
];

/** Data that a command's schema refuses: answered with an error, not executed. */
export const wrongData: readonly string[] = [
  'null',
  '5',
  '"text"',
  '[]',
  'true',
  'NaN',
  '-Infinity',
  '[[[[[[]]]]]]',
  '1e999',
  '123456789012345678901234567890',
  `"${'x'.repeat(FIVE_MB)}"`,
  ...slowTexts.map((text) => `"${text}"`),
];

/** Bytes without any pattern, the same in every run. */
function pseudoRandom(length: number): Uint8Array {
  const data = new Uint8Array(length);
  let state = 0x2545f491;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[i] = state;
  }
  // Never the first byte of zlib or of JSON.
  data[0] = 0xff;
  return data;
}
