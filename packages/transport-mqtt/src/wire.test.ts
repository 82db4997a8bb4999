import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writePuback, writePublish } from './wire.js';

/** What was written, and in how many pieces. */
function written(write: (sink: { write(chunk: Uint8Array): boolean }) => void): {
  bytes: Uint8Array;
  pieces: number;
} {
  const chunks: Uint8Array[] = [];
  write({ write: (chunk) => chunks.push(Uint8Array.from(chunk)) > 0 });
  return { bytes: Uint8Array.from(chunks.flatMap((chunk) => [...chunk])), pieces: chunks.length };
}

/** A PUBLISH read back by the rules of MQTT 3.1.1 §3.3 (and one byte of property length for MQTT 5). */
function read(bytes: Uint8Array, version: 4 | 5) {
  const flags = bytes[0] ?? 0;
  let at = 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    length += (byte & 127) << shift;
    if ((byte & 128) === 0) break;
  }
  expect(bytes.length).toBe(at + length);
  const size = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  at += 2;
  const topic = new TextDecoder().decode(bytes.subarray(at, at + size));
  at += size;
  const qos = (flags >> 1) & 3;
  const id = qos > 0 ? ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0) : 0;
  if (qos > 0) at += 2;
  if (version === 5) expect(bytes[at++]).toBe(0);
  return { type: flags >> 4, retain: (flags & 1) === 1, qos, topic, id, payload: bytes.subarray(at) };
}

describe('packets written by hand', () => {
  test('PUBLISH, QoS 1, of both versions, byte by byte', () => {
    const payload = Uint8Array.of(1, 2);
    expect([...written((sink) => writePublish(sink, 4, 'a/b', payload, 1, true, 258)).bytes]).toEqual([
      0x33, 9, 0, 3, 0x61, 0x2f, 0x62, 1, 2, 1, 2,
    ]);
    expect([...written((sink) => writePublish(sink, 5, 'a/b', payload, 0, false, 0)).bytes]).toEqual([
      0x30, 8, 0, 3, 0x61, 0x2f, 0x62, 0, 1, 2,
    ]);
  });

  test('PUBACK', () => {
    expect([...written((sink) => writePuback(sink, 0x1234)).bytes]).toEqual([0x40, 2, 0x12, 0x34]);
  });

  test('any PUBLISH reads back as it was', () => {
    const topics = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 });
    const payloads = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        topics,
        payloads,
        fc.constantFrom(4, 5),
        fc.constantFrom(0, 1),
        fc.boolean(),
        fc.integer({ min: 1, max: 65_535 }),
        (topic, payload, version, qos, retain, id) => {
          const { bytes } = written((sink) => writePublish(sink, version, topic, payload, qos, retain, id));
          const packet = read(bytes, version);
          expect(packet).toMatchObject({ type: 3, retain, qos, topic, id: qos === 1 ? id : 0 });
          expect([...packet.payload]).toEqual([...payload]);
        },
      ),
    );
  });

  test.for([0, 120, 127, 128, 16_370, 16_383, 16_384, 16_385, 2_097_140, 2_097_152])(
    'a payload of %i bytes',
    (size) => {
      const payload = new Uint8Array(size).fill(7);
      const { bytes, pieces } = written((sink) => writePublish(sink, 5, 't', payload, 1, false, 9));
      const packet = read(bytes, 5);
      expect(packet).toMatchObject({ topic: 't', id: 9 });
      expect(packet.payload.length).toBe(size);
      // Small ones leave in one piece, large ones are not copied.
      expect(pieces).toBe(size > 16_384 ? 2 : 1);
    },
  );
});
