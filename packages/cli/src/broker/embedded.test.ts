import { anything, Node, rpc } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { expect, test } from 'vitest';
import { startBroker } from './embedded.js';

test('two clients meet, over TCP and over WebSocket, and it ends with clients connected', async () => {
  const seen: string[] = [];
  const broker = await startBroker({ wsPort: 0, onClient: (_id, state) => seen.push(state) });
  const echo = rpc('echo', { request: anything, response: anything });
  const server = await new Node({ transport: mqtt(broker.url) }).start();
  await server.serve(echo, (data) => data);
  const client = await new Node({ transport: mqtt(broker.wsUrl ?? '') }).start();
  expect(await client.client(echo).call({ a: 1 })).toEqual({ a: 1 });
  expect(seen.filter((state) => state === 'connected').length).toBeGreaterThanOrEqual(2);
  await broker.close();
  await broker.close();
  await Promise.all([server.close(), client.close()]);
});

test('a port that is taken rejects, and leaves nothing open', async () => {
  const first = await startBroker({ wsPort: 0 });
  await expect(startBroker({ port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const ws = Number(new URL(first.wsUrl ?? '').port);
  await expect(startBroker({ wsPort: ws })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
  const again = await startBroker({ port: first.port });
  expect(again.port).toBe(first.port);
  await again.close();
});
