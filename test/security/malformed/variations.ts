/** Variations of good and bad payloads, made by fast-check. */
import fc from 'fast-check';
import { allCommands, goodData } from './bot.js';
import { bytes, request } from './samples.js';

/** One message of an attack. */
export interface Attack {
  /** Below `hbot/b/`. */
  readonly topic: string;
  readonly payload: Uint8Array;
}

const streams = ['hb', 'events', 'notify', 'log', 'status_updates', 'performance'];
const messages = [
  '{"ts":1700000000500000}',
  '{"timestamp":1700000000,"type":"OrderFilled","data":{"order_id":"a","price":NaN,"amount":1}}',
  '{"seq":0,"timestamp":"-1","msg":"good"}',
  '{"timestamp":1700000000.5,"msg":"good","level_no":20,"level_name":"INFO","logger_name":"x"}',
  '{"timestamp":1700000000000,"type":"availability","msg":"online"}',
  '{"good":{"performance":{"realized_pnl_quote":-Infinity},"custom_info":{}}}',
  '{"timestamp":1,"sequence":12345678901234567890,"type":"eevent","data":{"type":"buy","amount":"0.1"}}',
];

/** Any JSON, with the words that matter here as keys and values. */
const anyJson = fc
  .jsonValue({ depthSize: 'medium' })
  .map((value) => JSON.stringify(value))
  .map((text) => text.replaceAll('null', 'NaN'));

const hostileText = fc.oneof(
  fc.constantFrom('', '#', '+', '/', '//', '$SYS/x', '__proto__', 'a\0', '.', '..', '\ud800'),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** A text with some of it cut out, doubled, or replaced. */
function mutated(text: string): fc.Arbitrary<Uint8Array> {
  const position = fc.nat({ max: Math.max(1, text.length - 1) });
  return fc
    .tuple(
      position,
      fc.nat({ max: 8 }),
      fc.oneof(
        fc.constantFrom(
          '',
          '"',
          '{',
          '}',
          '[',
          ',',
          ':',
          'NaN',
          '-',
          '1e9999',
          '\\u0000',
          '"__proto__":{},',
          '\0',
        ),
        fc.string({ unit: 'binary', maxLength: 4 }),
      ),
      fc.uint8Array({ maxLength: 3 }),
    )
    .map(([at, length, insert, raw]) =>
      Buffer.concat([bytes(text.slice(0, at)), bytes(insert), raw, bytes(text.slice(at + length))]),
    );
}

const requestTexts = fc.oneof(
  // Good data for a hostile address, strange data for a good one, strange headers.
  fc.tuple(hostileText, fc.constantFrom(...Object.values(goodData))).map(([to, data]) => request(to, data)),
  fc.tuple(fc.nat(), anyJson).map(([n, data]) => request(`hbot/evil/fuzz/${n}`, data)),
  fc
    .tuple(anyJson, fc.constantFrom(...Object.values(goodData)))
    .map(([header, data]) => `{"header":${header},"data":${data}}`),
);

const payloads = fc.oneof(
  requestTexts.map(bytes),
  requestTexts.chain(mutated),
  fc.constantFrom(...messages).chain(mutated),
  anyJson.map(bytes),
  anyJson.chain(mutated),
  fc.uint8Array({ maxLength: 200 }),
  // Zlib, more or less.
  fc.uint8Array({ maxLength: 100 }).map((rest) => Uint8Array.of(0x78, 0x9c, ...rest)),
);

const externalEvents = fc
  .string({ maxLength: 20 })
  .filter((name) => !/[+#\0]/.test(name))
  .map((name) => `external/event/${name}`);

/** Anything for any endpoint, and more often something like a request for a command. */
export const attacks: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({
    topic: fc.oneof(fc.constantFrom(...allCommands), fc.constantFrom(...streams), externalEvents),
    payload: payloads,
  }),
  fc.record({
    topic: fc.constantFrom(...allCommands),
    payload: fc.oneof(requestTexts.map(bytes), requestTexts.chain(mutated)),
  }),
);
