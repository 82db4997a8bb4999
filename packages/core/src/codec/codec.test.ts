import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { CommlibError, DecodeError, EncodeError } from '../errors.js';
import { deflate, inflate, isZlib } from './compression.js';
import { json, parseEnvelopeJson, parseJson, stringify } from './json.js';
import { strictJson } from './strict.js';
import { parseTolerant } from './tolerant.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (payload: Uint8Array) => new TextDecoder().decode(payload);

describe('json', () => {
  test('reads what commlib-py writes beside JSON', () => {
    expect(parseJson('{"price":NaN,"up":Infinity,"down":-Infinity}')).toEqual({
      price: Number.NaN,
      up: Number.POSITIVE_INFINITY,
      down: Number.NEGATIVE_INFINITY,
    });
    expect(parseJson('{"ts":1795360792210356201,"small":1}')).toEqual({ ts: 1795360792210356201n, small: 1 });
    expect(parseJson('"buy:\\/\\/BTC"')).toBe('buy://BTC');
  });

  test('a large number with an exponent or a fraction stays a number', () => {
    expect(parseJson('[1e300,12345678901234567890.5]')).toEqual([1e300, Number('12345678901234567890.5')]);
  });

  test.each([
    '',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '[1 2]',
    'nul',
    '{"a":01}',
    '"\n"',
    '[1]x',
    '-',
    '+1',
    '{"a"}',
    '[,]',
    '"\\x"',
  ])('%j is malformed', (bad) => {
    expect(() => parseJson(bad)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  test.each([
    '{"__proto__":1}',
    '{"a":[{"__proto__":{}}]}',
    '{"\\u005f_proto__":1}',
    '{"x":NaN,"__proto__":1}',
  ])('%s is refused: its key is hostile', (bad) => {
    expect(() => parseJson(bad)).toThrow(DecodeError);
  });

  test('bytes that are not UTF-8 are malformed', () => {
    expect(() => json().decode(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(/UTF-8/);
  });

  test('writes NaN, Infinity and bigint bare, and standard JSON otherwise', () => {
    expect(stringify({ a: Number.NaN, b: [Number.NEGATIVE_INFINITY, null], c: 12345678901234567890n })).toBe(
      '{"a":NaN,"b":[-Infinity,null],"c":12345678901234567890}',
    );
    expect(stringify({ a: null, d: new Date(0), u: undefined })).toBe(
      '{"a":null,"d":"1970-01-01T00:00:00.000Z"}',
    );
  });

  test('refuses what has no JSON', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const bad of [undefined, () => 1, Symbol('x'), cycle])
      expect(() => stringify(bad)).toThrow(EncodeError);
  });

  test('what a class says of itself is written, also when it is no number or hides a cycle', () => {
    class Price {
      readonly #value: number;
      constructor(value: number) {
        this.#value = value;
      }
      toJSON() {
        return this.#value;
      }
    }
    expect(stringify({ bid: new Price(Number.NaN), ask: new Price(2), none: null })).toBe(
      '{"bid":NaN,"ask":2,"none":null}',
    );
    const order = { none: null, self: {}, toJSON: () => ({ none: null }) };
    order.self = order;
    expect(stringify([order])).toBe('[{"none":null}]');
  });

  test('a value that cannot be written is a typed error, whatever goes wrong on the way', () => {
    let deep: unknown = null;
    for (let i = 0; i < 50_000; i++) deep = [deep];
    const bad = {
      toJSON() {
        throw new RangeError('no');
      },
    };
    const cycle: { n: bigint; self?: unknown } = { n: 1n };
    cycle.self = cycle;
    for (const value of [deep, [1n, deep], bad, [1n, bad], cycle])
      expect(() => stringify(value)).toThrow(expect.objectContaining({ code: 'NOT_ENCODABLE' }));
  });

  test('any JSON value comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const wire = stringify(value);
        if (wire.includes('__proto__')) return;
        const back = JSON.parse(JSON.stringify(value));
        // Whole numbers beyond 2^53 come back as bigint, with all their digits.
        expect(JSON.stringify(parseJson(wire), (_, v) => (typeof v === 'bigint' ? Number(v) : v))).toBe(
          JSON.stringify(back),
        );
      }),
    );
  });

  test('the tolerant parser agrees with JSON.parse on every JSON text', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (wire) => {
        if (wire.includes('__proto__')) return;
        const standard = JSON.parse(wire);
        const mine = parseTolerant(wire);
        expect(JSON.stringify(mine, (_, v) => (typeof v === 'bigint' ? Number(v) : v))).toBe(
          JSON.stringify(standard),
        );
      }),
    );
  });

  test('anything at all is read or is a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (payload) => {
        try {
          json().decode(payload);
        } catch (error) {
          expect(CommlibError.is(error)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a number of any length takes no longer than its text, with NaN beside it too', () => {
    const digits = '9'.repeat(3_000_000);
    const begun = performance.now();
    expect(parseJson(`[${digits}]`)).toEqual([Number.POSITIVE_INFINITY]);
    expect(parseJson(`[NaN,-${digits}]`)).toEqual([Number.NaN, Number.NEGATIVE_INFINITY]);
    expect(performance.now() - begun).toBeLessThan(8_000); // by its square it would take minutes
  });

  test('deep nesting is a typed error, not a stack overflow', () => {
    const deep = `${'['.repeat(100_000)}NaN${']'.repeat(100_000)}`;
    expect(() => parseJson(deep)).toThrow(DecodeError);
    const standard = `${'['.repeat(100_000)}1${']'.repeat(100_000)}`;
    expect(() => parseJson(standard)).toThrow(DecodeError);
    expect(() => parseEnvelopeJson(`{"header":{},"data":${standard}}`)).toThrow(DecodeError);
    expect(() => parseEnvelopeJson(`{"header":{"error":${standard}},"data":1}`)).toThrow(DecodeError);
    const shallow = `${'['.repeat(400)}1${']'.repeat(400)}`;
    expect(JSON.stringify(parseJson(shallow))).toBe(shallow);
  });
});

describe('strict json', () => {
  test("writes commlib-py's bytes", () => {
    const value = { s: 'a/b é', n: -1, t: true, z: null, l: [1, -2], f: 0.5 };
    expect(text(strictJson().encode(value))).toBe(
      '{"s":"a\\/b \\u00e9","n":"-1","t":true,"z":null,"l":[1,"-2"],"f":0.5}',
    );
    expect(text(strictJson({ negativeIntegersAsStrings: false }).encode({ n: -1 }))).toBe('{"n":-1}');
  });

  test.each([
    [1e16, '1e+16'],
    [1.2345678901234568e17, '1.2345678901234568e+17'],
    [0.000099, '9.9e-5'],
    [1e-7, '1e-7'],
    [-0.5, '-0.5'],
    [-0, '-0.0'],
    [Number.NaN, 'NaN'],
  ])('%d is written %s', (value, expected) => {
    expect(strictJson().stringify?.(value)).toBe(expected);
  });

  test('astral characters are surrogate pairs in lower-case hex', () => {
    expect(strictJson().stringify?.('😀')).toBe('"\\ud83d\\ude00"');
  });

  test('a cycle is a typed error', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => strictJson().encode(cycle)).toThrow(EncodeError);
  });
});

describe('compression', () => {
  test('zlib reads ours, and ours reads zlib of every level', async () => {
    const payload = bytes('{"x":1}'.repeat(100));
    expect(text(inflateSync(await deflate(payload)))).toBe(text(payload));
    for (const level of [0, 1, 6, 9]) {
      const body = new Uint8Array(deflateSync(payload, { level }));
      expect(isZlib(body)).toBe(true);
      expect(text(await inflate(body, 10_000))).toBe(text(payload));
    }
  });

  test('no JSON looks like zlib', () => {
    fc.assert(fc.property(fc.json(), (wire) => !isZlib(bytes(wire))));
  });

  test('a bomb is stopped at the limit', async () => {
    const bomb = new Uint8Array(deflateSync(Buffer.alloc(50_000_000)));
    expect(bomb.length).toBeLessThan(100_000);
    await expect(inflate(bomb, 1_000_000)).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test('hundreds of bombs go off one after the other, and what is good waits no longer than its turn', async () => {
    const bomb = new Uint8Array(deflateSync(Buffer.alloc(2_000_000)));
    const good = new Uint8Array(deflateSync(bytes('{"x":1}')));
    let open = 0;
    let most = 0;
    const Real = DecompressionStream;
    class Counted extends Real {
      constructor(format: CompressionFormat) {
        super(format);
        most = Math.max(most, ++open);
      }
    }
    vi.stubGlobal('DecompressionStream', Counted);
    try {
      const bombs = Array.from({ length: 100 }, () =>
        inflate(bomb, 1_000_000)
          .catch((error: DecodeError) => error.code)
          .finally(() => open--),
      );
      const last = inflate(good, 1_000).finally(() => open--);
      expect(new Set(await Promise.all(bombs))).toEqual(new Set(['TOO_LARGE']));
      expect(text(await last)).toBe('{"x":1}');
      expect(most).toBeLessThanOrEqual(5); // 4, and the next may begin before the last one's `finally`
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('a broken stream is malformed', async () => {
    const body = new Uint8Array(deflateSync(bytes('{"x":1}')));
    await expect(inflate(body.slice(0, -5), 1000)).rejects.toMatchObject({ code: 'MALFORMED' });
    body[4] = (body[4] as number) ^ 0xff;
    await expect(inflate(body, 1000)).rejects.toMatchObject({ code: 'MALFORMED' });
  });
});
