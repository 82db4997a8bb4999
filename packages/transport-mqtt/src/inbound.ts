/** A PUBLISH packet as core's message. */
import type { Headers, Inbound } from '@commlib/core';
import type { IPublishPacket } from 'mqtt';

/** `correlationId` stands in for the packet's own, where the address carries it (replies). */
export function toInbound(packet: IPublishPacket, correlationId?: string): Inbound {
  const properties = packet.properties;
  return {
    address: packet.topic,
    payload: bytesOf(packet.payload),
    headers: properties?.userProperties && headersOf(properties.userProperties),
    replyTo: properties?.responseTopic,
    correlationId:
      correlationId ?? (properties?.correlationData && fromCorrelationData(properties.correlationData)),
    retained: packet.retain,
    redelivered: packet.dup,
  };
}

const encoder = new TextEncoder();

function bytesOf(payload: string | Uint8Array): Uint8Array {
  return typeof payload === 'string' ? encoder.encode(payload) : payload;
}

/** MQTT 5 allows a user property many times; a header has one value, the last. */
function headersOf(properties: Readonly<Record<string, string | readonly string[]>>): Headers {
  // Without a prototype: a property may be called __proto__.
  const headers: Record<string, string> = Object.create(null);
  for (const name of Object.keys(properties)) {
    const value = properties[name];
    const last = typeof value === 'string' ? value : value?.at(-1);
    if (last !== undefined) headers[name] = last;
  }
  return headers;
}

/** Correlation data are bytes: one character for each, so that they come back as they were. */
function fromCorrelationData(data: Uint8Array): string {
  return String.fromCharCode(...data.subarray(0, 65_535));
}

/** The reverse. A text with other characters cannot have come from correlation data and goes out as UTF-8. */
export function toCorrelationData(text: string): Uint8Array {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return encoder.encode(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
