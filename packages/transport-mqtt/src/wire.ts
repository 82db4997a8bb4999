/**
 * The two packets of which there are many, written in one piece: PUBLISH without properties, and PUBACK.
 * mqtt.js writes the rest; it takes a clone of every QoS 1 message and five writes for what is one here.
 * Layout: MQTT 3.1.1 §3.3 and §3.4, MQTT 5 the same with an empty property field after the identifier.
 */
import { allocate } from './bytes.js';

/** Above this many bytes the payload of a QoS 1 message, which stays ours until it is confirmed, is not copied. */
const COPY_LIMIT = 16_384;

const PUBLISH = 0x30;
const PUBACK = 0x40;

const encoder = new TextEncoder();

/** What is written to: a Node stream, or the one mqtt.js makes of a browser's WebSocket. */
export interface Sink {
  write(chunk: Uint8Array): boolean;
}

/** Writes a PUBLISH; `id` counts for QoS 1 only. Topic and payload must have been checked. */
export function writePublish(
  sink: Sink,
  version: 5 | 4,
  topic: string,
  payload: Uint8Array,
  qos: 0 | 1,
  retain: boolean,
  id: number,
): void {
  const encoded = isAscii(topic) ? undefined : encoder.encode(topic);
  const topicLength = encoded?.length ?? topic.length;
  const extra = (qos === 1 ? 2 : 0) + (version === 5 ? 1 : 0);
  const remaining = 2 + topicLength + extra + payload.length;
  // Of QoS 0 always: whoever sent it may fill the same memory with the next message before this one has left.
  const copied = qos === 0 || payload.length <= COPY_LIMIT;
  const packet = allocate(1 + lengthBytes(remaining) + remaining - (copied ? 0 : payload.length));
  packet[0] = PUBLISH | (qos << 1) | (retain ? 1 : 0);
  let at = 1;
  let rest = remaining;
  for (; rest > 127; rest >>>= 7) packet[at++] = (rest & 127) | 128;
  packet[at++] = rest;
  packet[at++] = topicLength >> 8;
  packet[at++] = topicLength & 255;
  if (encoded) packet.set(encoded, at);
  else for (let i = 0; i < topicLength; i++) packet[at + i] = topic.charCodeAt(i);
  at += topicLength;
  if (qos === 1) {
    packet[at++] = id >> 8;
    packet[at++] = id & 255;
  }
  if (version === 5) packet[at++] = 0; // No properties.
  if (copied) packet.set(payload, at);
  sink.write(packet);
  if (!copied) sink.write(payload);
}

/** Writes a PUBACK that says success; both versions write it alike (MQTT 5 §3.4.2.1: no reason code means success). */
export function writePuback(sink: Sink, id: number): void {
  const packet = allocate(4);
  packet[0] = PUBACK;
  packet[1] = 2;
  packet[2] = id >> 8;
  packet[3] = id & 255;
  sink.write(packet);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function lengthBytes(length: number): number {
  return length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;
}
