/** Payloads and keys in the form mqtt.js wants, without copying. */

/** Node's `Buffer`, absent in browsers, where mqtt.js brings its own and takes any `Uint8Array`. */
const NodeBuffer = (globalThis as { Buffer?: typeof Buffer }).Buffer;

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  if (NodeBuffer === undefined) return unwrapped(bytes);
  return NodeBuffer.isBuffer(bytes)
    ? bytes
    : NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** In browsers: mqtt-packet measures and writes any `Uint8Array`; only its types ask for a `Buffer`. */
function unwrapped(bytes: Uint8Array): Buffer {
  return bytes as Buffer;
}

/** PEM text stays text; bytes become buffers. */
export function asBuffers(
  pem: string | Uint8Array | readonly (string | Uint8Array)[],
): string | Buffer | Buffer[] {
  if (typeof pem === 'string') return pem;
  if (pem instanceof Uint8Array) return asBuffer(pem);
  return pem.map((one) => asBuffer(typeof one === 'string' ? new TextEncoder().encode(one) : one));
}

/** Memory to be filled completely; not cleared where that can be avoided. */
export const allocate: (length: number) => Uint8Array = NodeBuffer
  ? (length) => NodeBuffer.allocUnsafe(length)
  : (length) => new Uint8Array(length);

/** Absent in browsers. Taken once, so that a test with fake timers does not stop what is being sent. */
const immediate = (globalThis as { setImmediate?: (task: () => void) => unknown }).setImmediate;

/**
 * Runs when everything that came from the network in this turn of the event loop is dealt with, and the promises it settled.
 * Not `process.nextTick`: mqtt.js takes a tick for each packet of a chunk, so that would be after the first of them.
 */
export const afterwards: (task: () => void) => void =
  immediate === undefined ? (task) => queueMicrotask(task) : (task) => void immediate(task);
