/** zlib bodies as commlib-py writes them with its `compression` option; recognised by their first bytes, bounded in size. */
import { DecodeError } from '../errors.js';
import { Fifo } from '../util/fifo.js';

/** Bounds what a payload may become. */
export interface PayloadLimits {
  /** Largest payload accepted, also after decompression, in bytes. Default 16 MiB. */
  readonly maxPayloadBytes: number;
}

export const DEFAULT_MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

/**
 * True for a zlib stream (RFC 1950: method 8, header divisible by 31). JSON begins with none of these bytes
 * (`x` is 0x78; JSON text begins with a brace, bracket, quote, digit, sign, space or one of t f n N I).
 */
export function isZlib(payload: Uint8Array): boolean {
  const first = payload[0] as number;
  return payload.length >= 6 && first === 0x78 && ((first << 8) | (payload[1] as number)) % 31 === 0;
}

/** Compresses. The text differs from Python's by a few bytes at most; every zlib reads it. */
export async function deflate(payload: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of pump(payload, new CompressionStream('deflate'))) {
    chunks.push(chunk);
    total += chunk.length;
  }
  return join(chunks, total);
}

/**
 * Decompressions at a time. A small message may be a thousand times as large inside: hundreds of them at once, each stopped
 * at its limit, would take gigabytes all the same.
 */
const AT_ONCE = 4;
let running = 0;
const waiting = new Fifo<() => void>();

/** Decompresses, and stops as soon as the result is larger than the limit. Throws {@link DecodeError}. */
export async function inflate(payload: Uint8Array, limit: number): Promise<Uint8Array> {
  if (running < AT_ONCE) running++;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await inflateNow(payload, limit);
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

async function inflateNow(payload: Uint8Array, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of pump(payload, new DecompressionStream('deflate'))) {
      total += chunk.length;
      if (total > limit)
        throw new DecodeError('TOO_LARGE', `payload is larger than ${limit} bytes when decompressed`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof DecodeError) throw cause;
    throw new DecodeError('MALFORMED', 'payload looks like zlib and cannot be decompressed', { cause });
  }
  return join(chunks, total);
}

async function* pump(
  payload: Uint8Array,
  stream: CompressionStream | DecompressionStream,
): AsyncGenerator<Uint8Array> {
  const writer = stream.writable.getWriter();
  // Errors surface at the reader; these two must not become unhandled rejections.
  writer.write(payload.slice()).catch(() => {});
  writer.close().catch(() => {});
  const reader: ReadableStreamDefaultReader<Uint8Array> = stream.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function join(chunks: readonly Uint8Array[], total: number): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const all = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
