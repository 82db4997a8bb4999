/**
 * commlib's RPC envelope: `{"header":{"reply_to":…,"timestamp":…,"content_type":"json","encoding":"utf8","agent":…},"data":…}`.
 * Source: commlib-py 0.11–0.13.2 `rpc.py` (`CommRPCHeader`, `CommRPCMessage`), in that order of keys.
 */
import type { Codec } from '../codec/codec.js';
import { parseEnvelopeJson } from '../codec/json.js';
import { decodeUtf8, encodeUtf8 } from '../codec/utf8.js';
import { DecodeError } from '../errors.js';
import type { WireError } from './wire-error.js';

/** How envelopes are written. Nobody interprets these fields; they matter to those who compare bytes. */
export interface EnvelopeOptions {
  /** Unit of `header.timestamp`: `ns` as commlib-py 0.13, `ms` as 0.11 and Hummingbot. Default `ns`. */
  readonly timestamps: 'ns' | 'ms';
  /** `header.agent`. Default `commlib-ts`; commlib-py writes `commlib`. */
  readonly agent: string;
}

export const DEFAULT_ENVELOPE: EnvelopeOptions = { timestamps: 'ns', agent: 'commlib-ts' };

/** An envelope as it was read. */
export interface Envelope {
  readonly header: Readonly<Record<string, unknown>>;
  readonly data: unknown;
  /** The sender left `data` out. */
  readonly dataMissing: boolean;
  /** There was no envelope, the body was the data: see `capabilities.rawBodies`. */
  readonly raw?: boolean;
}

/** Writes envelopes with one codec. */
export class EnvelopeWriter {
  readonly #codec: Codec;
  readonly #stringify: ((value: unknown) => string) | undefined;
  readonly #tail: string;
  readonly #options: EnvelopeOptions;

  constructor(codec: Codec, options: EnvelopeOptions) {
    this.#codec = codec;
    this.#stringify = codec.stringify?.bind(codec);
    this.#options = options;
    this.#tail = `,"content_type":"json","encoding":"utf8","agent":${JSON.stringify(options.agent)}`;
  }

  /** The data alone, for peers that want no envelope. */
  writeRaw(data: unknown): Uint8Array {
    return this.#codec.encode(data);
  }

  /**
   * A request, or with an empty `replyTo` an answer. `correlationId` is written when given (the key exists from 0.13.2 on);
   * `expires` too, in milliseconds since 1970: ours, which Python peers ignore.
   */
  write(
    data: unknown,
    replyTo: string,
    correlationId?: string,
    error?: WireError,
    expires?: number,
  ): Uint8Array {
    const now = Date.now();
    const stringify = this.#stringify;
    if (stringify === undefined) {
      const header = {
        reply_to: replyTo,
        ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
        timestamp: this.#options.timestamps === 'ns' ? BigInt(now) * 1_000_000n : now,
        content_type: 'json',
        encoding: 'utf8',
        agent: this.#options.agent,
        ...(expires === undefined ? {} : { expires }),
        ...(error === undefined ? {} : { error }),
      };
      return this.#codec.encode({ header, data });
    }
    // Nanoseconds exceed 2^53: written as text, the milliseconds with six zeros.
    const timestamp = this.#options.timestamps === 'ns' ? `${now}000000` : String(now);
    const correlation = correlationId === undefined ? '' : `,"correlation_id":${stringify(correlationId)}`;
    const end = expires === undefined ? '' : `,"expires":${expires}`;
    const failure = error === undefined ? '' : `,"error":${stringify(error)}`;
    return encodeUtf8(
      `{"header":{"reply_to":${stringify(replyTo)}${correlation},"timestamp":${timestamp}${this.#tail}${end}${failure}},"data":${stringify(data)}}`,
    );
  }
}

/**
 * Reads an envelope. Throws {@link DecodeError} when there is none, unless the body may be the data itself (`rawBodies`): an
 * envelope is then told by its `header.reply_to`, which every commlib-py writes, in answers too.
 */
export function readEnvelope(codec: Codec, payload: Uint8Array, rawBodies = false): Envelope {
  const value = codec.stringify ? parseEnvelopeJson(decodeUtf8(payload)) : codec.decode(payload);
  if (rawBodies && !(isObject(value) && isObject(value.header) && 'reply_to' in value.header)) {
    // Read once more: what stands outside an envelope's data is not read with care.
    return { header: {}, data: codec.decode(payload), dataMissing: false, raw: true };
  }
  if (!isObject(value)) throw new DecodeError('MALFORMED', 'no RPC envelope: not an object');
  const { header } = value;
  if (!isObject(header)) throw new DecodeError('MALFORMED', 'no RPC envelope: no header');
  return { header, data: value.data, dataMissing: !Object.hasOwn(value, 'data') };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
