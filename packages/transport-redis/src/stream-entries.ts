/** What Redis answers about streams, read. Everything in it comes as buffers. */
import type { Headers } from '@commlib/core';
import { HEADER_PREFIX, PAYLOAD_FIELD } from './stream-outlet.js';

/** An entry of a stream. */
export interface StreamEntry {
  readonly id: string;
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
}

/** An entry that some member of a group holds. */
export interface PendingEntry {
  readonly id: string;
  readonly consumer: string;
  /** Milliseconds since that member got it, or last said that it has it still. */
  readonly idleMs: number;
  /** How often it was handed out. */
  readonly deliveries: number;
}

const EMPTY = new Uint8Array();
const PREFIX = Buffer.from(HEADER_PREFIX);
const PAYLOAD = Buffer.from(PAYLOAD_FIELD);

/** The answer to XREADGROUP: RESP3 lists keys and entries in turn, RESP2 in pairs. */
export function readStreams(reply: unknown): Map<string, StreamEntry[]> {
  const streams = new Map<string, StreamEntry[]>();
  if (!Array.isArray(reply)) return streams; // Nothing came in time.
  const flat: unknown[] = Array.isArray(reply[0]) ? reply.flat(1) : reply;
  for (let i = 0; i + 1 < flat.length; i += 2) streams.set(String(flat[i]), readEntries(flat[i + 1]));
  return streams;
}

/** The answer to XCLAIM, and each part of the one to XREADGROUP. Entries that were trimmed meanwhile have no fields. */
export function readEntries(reply: unknown): StreamEntry[] {
  const entries: StreamEntry[] = [];
  for (const entry of Array.isArray(reply) ? reply : []) {
    if (!Array.isArray(entry) || !Array.isArray(entry[1])) continue;
    entries.push(readEntry(String(entry[0]), entry[1]));
  }
  return entries;
}

function readEntry(id: string, fields: readonly unknown[]): StreamEntry {
  let payload: Uint8Array = EMPTY;
  let headers: Record<string, string> | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [field, value] = [fields[i], fields[i + 1]];
    if (!Buffer.isBuffer(field) || !Buffer.isBuffer(value)) continue;
    if (field.equals(PAYLOAD)) payload = value;
    else if (field.subarray(0, PREFIX.length).equals(PREFIX)) {
      // Without a prototype: a header may be called __proto__.
      headers ??= Object.create(null) as Record<string, string>;
      headers[field.toString('utf8', PREFIX.length)] = value.toString();
    }
  }
  return { id, payload, headers };
}

/** The answer to XPENDING with a range. */
export function readPending(reply: unknown): PendingEntry[] {
  const pending: PendingEntry[] = [];
  for (const one of Array.isArray(reply) ? reply : []) {
    if (!Array.isArray(one)) continue;
    const [id, consumer, idleMs, deliveries] = one;
    pending.push({
      id: String(id),
      consumer: String(consumer),
      idleMs: Number(idleMs),
      deliveries: Number(deliveries),
    });
  }
  return pending;
}
