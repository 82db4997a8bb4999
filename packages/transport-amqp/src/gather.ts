/**
 * amqplib hands every frame of every channel to the system by itself, one write each. What it writes in one go through the channels
 * leaves in one piece instead: a message, the answer to another and the acknowledgement of a third are one system call,
 * and one wake-up of the broker. Nothing waits longer for it.
 */
import type { Writable } from 'node:stream';

/** What of an amqplib connection is not in its types: the socket, and what moves the frames of the channels there. */
interface Innards {
  readonly stream: Pick<Writable, 'cork' | 'uncork'>;
  readonly muxer: { _readIncoming(): void };
}

/** False when this amqplib has other innards: then it writes as it always did. */
export function gatherWrites(connection: unknown): boolean {
  if (!hasInnards(connection)) return false;
  const { stream, muxer } = connection;
  const move = muxer._readIncoming.bind(muxer);
  muxer._readIncoming = () => {
    stream.cork();
    try {
      move();
    } finally {
      stream.uncork();
    }
  };
  return true;
}

function hasInnards(connection: unknown): connection is Innards {
  return (
    hasProperty(connection, 'stream') &&
    hasMethod(connection.stream, 'cork') &&
    hasMethod(connection.stream, 'uncork') &&
    hasProperty(connection, 'muxer') &&
    hasMethod(connection.muxer, '_readIncoming')
  );
}

function hasProperty<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value;
}

function hasMethod(value: unknown, name: string): boolean {
  return hasProperty(value, name) && typeof value[name] === 'function';
}
