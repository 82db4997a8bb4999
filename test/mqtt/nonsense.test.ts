import { createServer, type Socket } from 'node:net';
import { mqtt } from '@commlib/transport-mqtt';
import { describe, expect, test } from 'vitest';
import { freePort, until } from '../brokers/index.js';
import { bytes, connected, lossy, rejection } from './links.js';

/** Something at a port that is no broker, or no good one. */
async function serverThat(
  answers: (socket: Socket, chunk: Buffer) => void,
): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => answers(socket, chunk));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const connack = Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00]);
const packetType = (chunk: Buffer) => (chunk[0] ?? 0) >> 4;

describe('a server that is no MQTT broker, or a bad one', () => {
  test.for([
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['AMQP', Buffer.from('AMQP\0\0\x09\x01', 'latin1')],
    ['zeroes', Buffer.alloc(64)],
    ['ones', Buffer.alloc(64, 0xff)],
    ['a PUBLISH before the CONNACK', Buffer.from([0x30, 0x04, 0x00, 0x01, 0x61, 0x00])],
  ] as const)('%s: connecting fails with an error, in time', async ([_what, answer]) => {
    await using server = await serverThat((socket) => socket.write(answer));
    const transport = mqtt(server.url, { connectTimeoutMs: 300 });
    const connecting = { timeoutMs: 2_000, failFast: true, onEvent: () => {} };
    const error = await rejection(transport.connect(connecting));
    expect(error).toMatchObject({ name: 'ConnectionError' });
    expect(String(error)).toContain(server.url);
    await transport.close({ deadlineMs: 100 });
  });

  test.for([
    ['ones', Buffer.alloc(64, 0xff)],
    ['a PUBLISH whose topic is longer than it', Buffer.from([0x30, 0x05, 0xff, 0xff, 0x61, 0x62, 0x63])],
    ['a second CONNACK', connack],
    ['a CONNECT', Buffer.from([0x10, 0x02, 0x00, 0x00])],
  ] as const)('%s after the CONNACK: the link is given up and made again', async ([_what, answer]) => {
    let spoil = true;
    await using server = await serverThat((socket, chunk) => {
      if (packetType(chunk) !== 1) return;
      socket.write(connack);
      if (spoil) setTimeout(() => socket.write(answer), 20);
      spoil = false;
    });
    await using link = await connected(server.url);
    await until(() => link.states().includes('reconnecting'), { what: 'the loss' });
    await until(() => link.transport.status.state === 'ready', { what: 'ready again' });
  });

  test('confirmations of what was never sent are ignored', async () => {
    await using server = await serverThat((socket, chunk) => {
      if (packetType(chunk) === 1) {
        socket.write(connack);
        setTimeout(() => {
          for (const type of [0x40, 0x50, 0x70, 0xb0]) socket.write(Buffer.from([type, 0x02, 0x12, 0x34]));
          socket.write(Buffer.from([0x30, 0x04, 0x00, 0x01, 0x61, 0x00]));
        }, 20);
      }
      // A PUBLISH of QoS 1 to `t`: confirmed, so that the end of the above is seen.
      if (packetType(chunk) === 3)
        socket.write(Buffer.concat([Buffer.from([0x40, 0x02]), chunk.subarray(5, 7)]));
    });
    await using link = await connected(server.url);
    await link.transport.publish('t', bytes('x'), { delivery: 'at-least-once' });
    expect(link.states()).toEqual(['connecting', 'ready']);
  });

  test('a subscription that is never confirmed does not keep close() waiting', async () => {
    await using server = await serverThat((socket, chunk) => {
      if (packetType(chunk) === 1) socket.write(connack);
    });
    const link = await connected(server.url);
    const subscribing = rejection(link.transport.subscribe('a', lossy, () => {}));
    await link.transport.close({ deadlineMs: 200 });
    expect(await subscribing).toMatchObject({ code: 'CLOSED' });
  });
});
