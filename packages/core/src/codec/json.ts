/**
 * JSON as all versions of commlib-py read it: compact and standard, but for bare `NaN`, `Infinity` and integers beyond
 * 2^53, which commlib writes and reads and JSON has no word for.
 */
import { DecodeError, EncodeError } from '../errors.js';
import type { Codec } from './codec.js';
import { MAX_DEPTH, parseTolerant } from './tolerant.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/**
 * The default codec.
 *
 * Writes: compact JSON; numbers that are not finite bare (`NaN`, `Infinity`), `bigint` as digits.
 * Reads: standard JSON and what commlib-py writes beside it (bare `NaN`/`Infinity`; integers beyond 2^53 become
 * `bigint`). An object with a `__proto__` key is refused.
 */
export function json(): Codec {
  return {
    contentType: 'application/json',
    stringify,
    encode: (value) => encodeUtf8(stringify(value)),
    decode: (payload) => parseJson(decodeUtf8(payload)),
  };
}

/** Text of a value; see {@link json}. Throws {@link EncodeError}. */
export function stringify(value: unknown): string {
  try {
    const text = stringifyStandard(value);
    // JSON.stringify turns NaN and Infinity into null without a word; only a text with a null can hide one.
    if (text !== undefined && !(text.includes('null') && hasNonFinite(value, ''))) return text;
    return stringifyExtended(value);
  } catch (cause) {
    if (cause instanceof EncodeError) throw cause;
    // Nested too deeply, or a `toJSON` that throws.
    throw new EncodeError('the value cannot be written as JSON', { cause });
  }
}

/** Undefined for what it does not know: a bigint or a cycle, which the slow writer tells apart, or no value at all. */
function stringifyStandard(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof TypeError) return undefined;
    throw cause;
  }
}

function hasNonFinite(input: unknown, key: string): boolean {
  if (typeof input === 'number') return !Number.isFinite(input);
  if (typeof input !== 'object' || input === null) return false;
  if (hasToJson(input)) return hasNonFinite(input.toJSON(key), key);
  if (Array.isArray(input)) return input.some((item, i) => hasNonFinite(item, String(i)));
  return Object.keys(input).some((k) => hasNonFinite((input as Record<string, unknown>)[k], k));
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

function stringifyExtended(value: unknown): string {
  const open = new Set<object>();
  const write = (input: unknown, key: string): string | undefined => {
    const v = typeof input === 'object' && input !== null && hasToJson(input) ? input.toJSON(key) : input;
    switch (typeof v) {
      case 'bigint':
        return v.toString();
      case 'number':
        return Number.isFinite(v) ? JSON.stringify(v) : String(v);
      case 'object':
        break;
      default:
        return JSON.stringify(v);
    }
    if (v === null) return 'null';
    if (v instanceof Number || v instanceof String || v instanceof Boolean) return JSON.stringify(v);
    if (open.has(v)) throw new EncodeError('the value contains itself');
    open.add(v);
    const text = Array.isArray(v)
      ? `[${v.map((item, i) => write(item, String(i)) ?? 'null').join(',')}]`
      : `{${Object.entries(v)
          .map(([k, item]) => [k, write(item, k)] as const)
          .filter(([, item]) => item !== undefined)
          .map(([k, item]) => `${JSON.stringify(k)}:${item}`)
          .join(',')}}`;
    open.delete(v);
    return text;
  };
  const text = write(value, '');
  if (text === undefined) throw new EncodeError(`${typeof value} cannot be written as JSON`);
  return text;
}

/** Reads JSON text; see {@link json}. Throws {@link DecodeError}. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not standard JSON: perhaps commlib's. The tolerant parser has the better error, too.
    return parseTolerant(text);
  }
  return inspect(value, 0) ? parseTolerant(text) : value;
}

/**
 * Reads an RPC envelope. As {@link parseJson}, but the header's timestamp (nanoseconds, always beyond 2^53 from
 * commlib-py 0.13) does not send every message to the slow parser.
 */
export function parseEnvelopeJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return parseTolerant(text);
  }
  if (typeof value !== 'object' || value === null) return value;
  refuseProto(value);
  const { header, data } = value as { header?: unknown; data?: unknown };
  if (typeof header === 'object' && header !== null) {
    refuseProto(header);
    // Its numbers are not worth the slow parser, but users get to see all of it.
    for (const key in header) {
      const field = (header as Record<string, unknown>)[key];
      if (typeof field === 'object') inspect(field, 2);
    }
  }
  return inspect(data, 1) ? parseTolerant(text) : value;
}

function refuseProto(value: object): void {
  if (Object.hasOwn(value, '__proto__')) throw hostile();
}

function hostile(): DecodeError {
  return new DecodeError('MALFORMED', 'an object has a key named __proto__');
}

/** One walk for all questions: true when a number lost digits; throws for a `__proto__` key, and before the stack ends. */
function inspect(value: unknown, depth: number): boolean {
  if (typeof value === 'number') {
    return (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) && Number.isInteger(value);
  }
  if (typeof value !== 'object' || value === null) return false;
  if (depth > MAX_DEPTH)
    throw new DecodeError('MALFORMED', `not acceptable: nested deeper than ${MAX_DEPTH}`);
  let unsafe = false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) unsafe = inspect(value[i], depth + 1) || unsafe;
    return unsafe;
  }
  for (const key in value) {
    if (key === '__proto__') throw hostile();
    unsafe = inspect((value as Record<string, unknown>)[key], depth + 1) || unsafe;
  }
  return unsafe;
}
