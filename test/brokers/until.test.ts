import { once } from 'node:events';
import { createServer, connect as tcpConnect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freePort } from './ports.js';
import { until } from './until.js';

test('a condition that does not come true in time is an error that names it', async () => {
  await expect(until(() => false, { what: 'the impossible', timeoutMs: 50 })).rejects.toThrow(
    'waited 50 ms in vain: the impossible',
  );
});

test('what came while the process stood still came in time', async () => {
  const port = await freePort();
  const server = createServer((socket) => setTimeout(() => socket.end('x'), 50)).listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    let came = false;
    const socket = tcpConnect({ port, host: '127.0.0.1' }).on('data', () => {
      came = true;
    });
    await once(socket, 'connect');
    const waiting = until(() => came, { what: 'the message', timeoutMs: 100 });
    await nextTurn(); // it sleeps
    const end = performance.now() + 300;
    while (performance.now() < end);
    await waiting;
    socket.destroy();
  } finally {
    server.close();
  }
});
