/**
 * Proves the transport with the kit, run by Node's own test runner:
 *
 *     NATS_URL=nats://localhost:4222 node --import tsx --test docs/examples/nats/conformance.test.ts
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { describeTransport, type TestBench } from '@commlib/conformance';
import { nats } from './nats.js';

const url = new URL(process.env.NATS_URL ?? 'nats://localhost:4222');

describeTransport({
  name: 'core NATS',
  runner: { describe, test },
  capabilities: nats(url.href).capabilities,
  create: bench,
});

/** A way to the server that can be cut, for one property. */
async function bench(): Promise<TestBench> {
  const sockets = new Set<Socket>();
  let blocked = false;
  const proxy = createServer({ noDelay: true }, (inside) => {
    if (blocked) return inside.destroy();
    const outside = createConnection({ host: url.hostname, port: Number(url.port), noDelay: true });
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const place = proxy.address();
  if (place === null || typeof place === 'string') throw new Error('the proxy does not listen');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const hangUp = () => {
    for (const socket of sockets) socket.end();
  };
  return {
    transport: () => nats(`nats://127.0.0.1:${place.port}`),
    cut,
    hangUp,
    block() {
      blocked = true;
      cut();
    },
    unblock() {
      blocked = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
