/**
 * commlib-py's bytes exactly, for peers that compare them: `make_primitives` and ujson's text rules.
 * Source: commlib-py 0.11.5 and 0.13.1 `serializer.py`, run with ujson 5.7–6.1.
 */
import { EncodeError } from '../errors.js';
import type { Codec } from './codec.js';
import { parseJson } from './json.js';
import { decodeUtf8, encodeUtf8 } from './utf8.js';

/** How exactly to imitate. */
export interface StrictJsonOptions {
  /**
   * `true` (commlib-py 0.10.2 to 0.13.1, and every Hummingbot): negative integers are written as strings (`-5` → `"-5"`).
   * `false` (commlib-py 0.13.2): as numbers. Default `true`.
   */
  readonly negativeIntegersAsStrings?: boolean;
}

/**
 * Writes what commlib-py would: `/` as `\/`, everything beyond ASCII as `\uXXXX`, bare `NaN`, negative integers as strings.
 * JavaScript does not know `1.0` from `1`: whole numbers are written as integers. Reads as {@link json} does.
 *
 * @example
 * ```ts
 * new TextDecoder().decode(strictJson().encode({ s: 'a/é', n: -1 })); // {"s":"a\/\u00e9","n":"-1"}
 * ```
 */
export function strictJson(options: StrictJsonOptions = {}): Codec {
  const asStrings = options.negativeIntegersAsStrings ?? true;
  const write = (value: unknown): string => {
    switch (typeof value) {
      case 'boolean':
        return String(value);
      case 'string':
        return text(value);
      case 'bigint':
        return value < 0n && asStrings ? `"${value}"` : value.toString();
      case 'number':
        return number(value, asStrings);
      case 'object':
        break;
      default:
        throw new EncodeError(`${typeof value} cannot be written as JSON`);
    }
    if (value === null) return 'null';
    if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(''));
    if (Array.isArray(value))
      return `[${value.map((item) => (item === undefined ? 'null' : write(item))).join(',')}]`;
    const fields = Object.entries(value).filter(([, item]) => item !== undefined);
    return `{${fields.map(([key, item]) => `${text(key)}:${write(item)}`).join(',')}}`;
  };
  const stringify = (value: unknown): string => {
    try {
      return write(value);
    } catch (cause) {
      if (cause instanceof RangeError)
        throw new EncodeError('the value contains itself or is nested too deeply', { cause });
      throw cause;
    }
  };
  return {
    contentType: 'application/json',
    stringify,
    encode: (value) => encodeUtf8(stringify(value)),
    decode: (payload) => parseJson(decodeUtf8(payload)),
  };
}

function number(value: number, asStrings: boolean): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0.0';
  if (Number.isInteger(value) && Math.abs(value) < 1e16)
    return value < 0 && asStrings ? `"${value}"` : String(value);
  // ujson takes the exponent form from 1e16 up and below 1e-4; JavaScript from 1e21 and below 1e-6.
  const magnitude = Math.abs(value);
  return magnitude >= 1e16 || magnitude < 1e-4
    ? value.toExponential().replace(/^(-?\d)(\.\d+)?e/, '$1$2e')
    : String(value);
}

function text(value: string): string {
  // 0x7f is written raw, everything above is escaped.
  const escaped = JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return escaped.replaceAll('/', '\\/');
}
