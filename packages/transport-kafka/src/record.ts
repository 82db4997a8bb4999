/** Between the records of kafkajs and core's messages. */
import type { Headers, Inbound } from '@commlib/core';
import type { FetchedRecord, OutRecord } from './protocol.js';

const EMPTY = new Uint8Array(0);

/** An empty key is none: commlib-py writes one to every record. A record without a value (a tombstone) has an empty payload. */
export function toInbound(
  topic: string,
  partition: number,
  record: FetchedRecord,
  settle?: Inbound['settle'],
  attempt?: number,
): Inbound {
  const { key, value } = record;
  return {
    address: topic,
    payload: value ?? EMPTY,
    headers: headersOf(record.headers),
    key: key === null || key.length === 0 ? undefined : key.toString(),
    retained: false,
    position: `${partition}:${record.offset}`,
    attempt,
    settle,
  };
}

/** Kafka allows a header many times; here it has one value, the last. */
function headersOf(headers: FetchedRecord['headers']): Headers | undefined {
  let read: Record<string, string> | undefined;
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last === undefined || last === null) continue;
    // Without a prototype: a header may be called __proto__.
    read ??= Object.create(null) as Record<string, string>;
    read[name] = typeof last === 'string' ? last : last.toString();
  }
  return read;
}

/** What every record costs beyond its key, value and headers: lengths, deltas, attributes (at most). */
const RECORD_OVERHEAD = 32;

export function toRecord(
  payload: Uint8Array,
  options: { readonly key?: string | undefined; readonly headers?: Headers | undefined } = {},
): OutRecord {
  return {
    key: options.key === undefined ? null : Buffer.from(options.key),
    value: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    headers: options.headers,
  };
}

export function sizeOf(record: OutRecord): number {
  let size = RECORD_OVERHEAD + record.value.length + (record.key?.length ?? 0);
  for (const name in record.headers) size += 10 + 3 * (name.length + (record.headers[name]?.length ?? 0));
  return size;
}

/** `partition:offset`, several with commas; the next message read there is the one at that offset. */
export function parsePosition(position: string): Map<number, number> | undefined {
  const offsets = new Map<number, number>();
  for (const part of position.split(',')) {
    const [, partition, offset] = /^(\d{1,9}):(\d{1,16})$/.exec(part.trim()) ?? [];
    if (partition === undefined || offset === undefined) return undefined;
    offsets.set(Number(partition), Number(offset));
  }
  return offsets;
}
