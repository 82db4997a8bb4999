/** The words of the NATS protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol */
import type { Headers } from '@commlib/core';

/** Something the server said. */
export type ServerWord =
  | { readonly word: 'INFO'; readonly info: { readonly max_payload?: number } }
  | { readonly word: 'PING' | 'PONG' | '+OK' }
  | { readonly word: '-ERR'; readonly text: string }
  | {
      readonly word: 'MSG';
      readonly subject: string;
      readonly sid: number;
      readonly reply: string | undefined;
      readonly headers: Headers | undefined;
      readonly payload: Uint8Array;
    };

const CRLF = Buffer.from('\r\n');

/** Cuts the stream of bytes into words. */
export class Reader {
  #bytes: Buffer = Buffer.alloc(0);

  *read(chunk: Buffer): Generator<ServerWord> {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (let word = this.#next(); word; word = this.#next()) yield word;
  }

  #next(): ServerWord | undefined {
    const end = this.#bytes.indexOf(CRLF);
    if (end < 0) return undefined;
    const [word = '', ...rest] = this.#bytes.toString('utf8', 0, end).split(' ');
    if (word !== 'MSG' && word !== 'HMSG') {
      this.#bytes = this.#bytes.subarray(end + 2);
      const text = rest.join(' ');
      if (word === 'INFO') return { word, info: JSON.parse(text) };
      if (word === '-ERR') return { word, text };
      return { word: word === 'PING' || word === 'PONG' ? word : '+OK' };
    }
    // MSG <subject> <sid> [reply] <bytes>, HMSG <subject> <sid> [reply] <header bytes> <bytes>
    const total = Number(rest.pop());
    const headed = word === 'HMSG' ? Number(rest.pop()) : 0;
    const begin = end + 2;
    if (this.#bytes.length < begin + total + 2) return undefined;
    const body = this.#bytes.subarray(begin, begin + total);
    this.#bytes = this.#bytes.subarray(begin + total + 2);
    const [subject = '', sid = '', reply] = rest;
    return {
      word: 'MSG',
      subject,
      sid: Number(sid),
      reply,
      headers: headed > 0 ? readHeaders(body.toString('utf8', 0, headed)) : undefined,
      payload: body.subarray(headed),
    };
  }
}

/** `PUB` or `HPUB`, ready to be written, and how much of it counts for the server's limit. */
export function publication(
  subject: string,
  payload: Uint8Array,
  { reply = '', headers }: { readonly reply?: string | undefined; readonly headers?: Headers | undefined },
): { readonly bytes: Buffer; readonly size: number } {
  const target = reply === '' ? subject : `${subject} ${reply}`;
  const head = headers === undefined ? undefined : Buffer.from(writeHeaders(headers));
  const size = (head?.length ?? 0) + payload.length;
  const line = head ? `HPUB ${target} ${head.length} ${size}\r\n` : `PUB ${target} ${size}\r\n`;
  const bytes = Buffer.concat([Buffer.from(line), ...(head ? [head] : []), payload, CRLF]);
  return { bytes, size };
}

// Names and values may be any text here; NATS wants one line each, so they travel as URI components.
function writeHeaders(headers: Headers): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `${encodeURIComponent(name)}: ${encodeURIComponent(value)}\r\n`,
  );
  return `NATS/1.0\r\n${lines.join('')}\r\n`;
}

function readHeaders(text: string): Headers {
  const headers: Record<string, string> = {};
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers[decode(line.slice(0, colon))] = decode(line.slice(colon + 1).trim());
  }
  return headers;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Written by somebody else.
  }
}
