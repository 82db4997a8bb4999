import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../brokers/ports.js';
import { until } from '../brokers/until.js';
import { startProxy, type TcpProxy, through } from './proxy.js';

/** A server that sends back what it receives, and the proxy in front of it. */
let server: Server;
let backend: number;
let proxy: TcpProxy;
const clients: Socket[] = [];
/** The server's ends. */
const sockets: Socket[] = [];

beforeEach(async () => {
  backend = await freePort();
  sockets.length = 0;
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(backend, '127.0.0.1', resolve));
  proxy = await startProxy(backend);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  server.close();
});

function open(port = proxy.port) {
  const socket = tcpConnect(port, '127.0.0.1');
  clients.push(socket);
  const seen = { text: '', error: '', closed: false };
  socket.on('data', (chunk) => {
    seen.text += chunk.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? error.message;
  });
  socket.on('close', () => {
    seen.closed = true;
  });
  return { socket, seen };
}

/** Twenty echoes without the proxy: time enough for the one that must not come through it. */
async function roundTripsPastTheProxy() {
  const direct = open(backend);
  for (let count = 1; count <= 20; count++) {
    direct.socket.write('x');
    await until(() => direct.seen.text.length === count, { what: 'an echo past the proxy', everyMs: 1 });
  }
}

describe('the proxy', () => {
  test('passes everything on, and the orderly end too', async () => {
    const { socket, seen } = open();
    const big = 'x'.repeat(3_000_000);
    socket.end(big);
    await until(() => seen.closed, { what: 'end of the connection' });
    expect(seen.text.length).toBe(big.length);
    expect(proxy).toMatchObject({ accepted: 1, open: 0 });
  });

  test('paused, nothing passes and nobody is told; resumed, nothing is missing', async () => {
    const { socket, seen } = open();
    socket.write('a');
    await until(() => seen.text === 'a', { what: 'the first echo' });
    proxy.pause();
    socket.write('b');
    const late = open();
    late.socket.write('c');
    await until(() => proxy.open === 2, { what: 'the second connection' });
    await roundTripsPastTheProxy();
    expect(seen).toEqual({ text: 'a', error: '', closed: false });
    proxy.resume();
    await until(() => seen.text === 'ab' && late.seen.text === 'c', { what: 'both echoes' });
  });

  test('paused, an end is held back as well; resumed, the other side is told', async () => {
    const { socket, seen } = open();
    socket.write('a');
    await until(() => seen.text === 'a', { what: 'the first echo' });
    const [atServer] = sockets;
    proxy.pause();
    socket.resetAndDestroy();
    await until(() => seen.closed, { what: 'the end at the client' });
    await roundTripsPastTheProxy();
    expect(atServer?.closed).toBe(false);
    proxy.resume();
    await until(() => atServer?.closed && proxy.open === 0, { what: 'the end at the server' });
  });

  test('closed while paused, it leaves no connection behind', async () => {
    const { socket, seen } = open();
    socket.write('a');
    await until(() => seen.text === 'a', { what: 'the first echo' });
    proxy.pause();
    socket.resetAndDestroy();
    await until(() => seen.closed, { what: 'the end at the client' });
    await proxy.close();
    await until(() => sockets.every(({ closed }) => closed), { what: 'the end at the server' });
  });

  test('hangUp ends what is open in good order and lets new connections in', async () => {
    const { socket, seen } = open();
    socket.write('a');
    await until(() => seen.text === 'a', { what: 'the first echo' });
    proxy.hangUp();
    await until(() => seen.closed && proxy.open === 0, { what: 'the end' });
    expect(seen.error).toBe('');
    await until(() => sockets.every(({ closed }) => closed), { what: 'the end at the server' });
    const again = open();
    again.socket.write('b');
    await until(() => again.seen.text === 'b', { what: 'the echo of the new connection' });
  });

  test('cut resets what is open and lets new connections in', async () => {
    const { socket, seen } = open();
    socket.write('a');
    await until(() => seen.text === 'a', { what: 'the first echo' });
    proxy.cut();
    await until(() => seen.closed, { what: 'the cut' });
    expect(seen.error).toBe('ECONNRESET');
    const again = open();
    again.socket.write('b');
    await until(() => again.seen.text === 'b', { what: 'the echo on a new connection' });
  });

  test('refusing, it is a port that nobody listens on, until it accepts again', async () => {
    await proxy.refuse();
    const refused = open();
    await until(() => refused.seen.closed, { what: 'the refusal' });
    expect(refused.seen.error).toBe('ECONNREFUSED');
    await proxy.accept();
    const accepted = open();
    accepted.socket.write('a');
    await until(() => accepted.seen.text === 'a', { what: 'the echo' });
  });

  test('latency holds every byte back in both directions and keeps the order', async () => {
    proxy.latency(60);
    const { socket, seen } = open();
    const begin = performance.now();
    for (const letter of 'abcdef') socket.write(letter);
    await until(() => seen.text.length === 6, { what: 'the echo' });
    expect(performance.now() - begin).toBeGreaterThan(110);
    expect(seen.text).toBe('abcdef');
  });

  test('through() puts the proxy into a URL and keeps the rest', () => {
    const at = (url: string) => through(proxy, url);
    expect(at('mqtt://me:pw@10.0.0.1:1883')).toBe(`mqtt://me:pw@127.0.0.1:${proxy.port}`);
    expect(at('mqtts://localhost:8883')).toBe(`mqtts://localhost:${proxy.port}`);
    expect(at('ws://127.0.0.1:9001/ws')).toBe(`ws://127.0.0.1:${proxy.port}/ws`);
  });
});
