import { createServer, connect as tcpConnect } from 'node:net';

/**
 * Test ports come from below the range from which systems take the local ports of outgoing connections (32768 on
 * Linux). A port from that range could be taken by any client while a broker is down between kill and restart, and a
 * client that retries a loopback port of that range can even connect to itself.
 */
const lowest = 12_000;
const highest = 32_000;
let next = lowest + Math.floor(Math.random() * (highest - lowest));

/** A TCP port of 127.0.0.1 that nobody listens on, between 12000 and 32000. Every call of one process returns another. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = next >= highest ? lowest : next + 1 + Math.floor(Math.random() * 7);
    next = port; // before the wait: calls that run at once must not get the same port
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found between ${lowest} and ${highest}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // All addresses, as the websocket listener of Mosquitto takes them all whatever its bind address says.
    const server = createServer().once('error', () => resolve(false));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts TCP connections at the address, asked once. */
export function accepts(port: number, host = '127.0.0.1', timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect({ port, host });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}
