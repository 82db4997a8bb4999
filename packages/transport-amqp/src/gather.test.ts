import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { gatherWrites } from './gather.js';

/** What arrives at the system, call by call. */
function recordingSocket(): { socket: Duplex; calls: string[] } {
  const calls: string[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      calls.push(String(chunk));
      done();
    },
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join('+'));
      done();
    },
  });
  return { socket, calls };
}

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** As installed: the test fails when a new amqplib has other innards. */
function amqplibConnection(socket: Duplex) {
  const require = createRequire(import.meta.url);
  // By its file: the package exports it to nobody.
  const { Connection } = require(join(dirname(require.resolve('amqplib')), 'lib', 'connection.js'));
  return new Connection(socket);
}

function twoChannels(muxer: { pipeFrom(stream: PassThrough): void }): [PassThrough, PassThrough] {
  const channels = [new PassThrough({ objectMode: true }), new PassThrough({ objectMode: true })] as const;
  for (const channel of channels) muxer.pipeFrom(channel);
  return [...channels];
}

test('frames of one turn leave in one piece, whatever their channels', async () => {
  const { socket, calls } = recordingSocket();
  const connection = amqplibConnection(socket);
  const [one, other] = twoChannels(connection.muxer);
  expect(gatherWrites(connection)).toBe(true);
  one.write(Buffer.from('a'));
  one.write(Buffer.from('b'));
  other.write(Buffer.from('c'));
  await turn();
  expect(calls).toHaveLength(1);
  expect(calls[0]?.split('+').toSorted()).toEqual(['a', 'b', 'c']);
});

test('without it each frame is a call of its own', async () => {
  const { socket, calls } = recordingSocket();
  const connection = amqplibConnection(socket);
  const [one, other] = twoChannels(connection.muxer);
  one.write(Buffer.from('a'));
  one.write(Buffer.from('b'));
  other.write(Buffer.from('c'));
  await turn();
  expect(calls).toHaveLength(3);
});

test('a connection of another make is left as it is', () => {
  expect(gatherWrites({ stream: new PassThrough() })).toBe(false);
  expect(gatherWrites(undefined)).toBe(false);
});
