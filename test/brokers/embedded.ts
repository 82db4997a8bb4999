import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { MqttBroker } from './broker.js';
import { controlled } from './controls.js';
import { freePort } from './ports.js';
import { recordUse } from './record.js';

/** What a test may ask of the embedded broker. */
export interface EmbeddedOptions {
  websockets?: boolean;
  port?: number;
  /** User → password; anonymous access ends when given. */
  users?: Readonly<Record<string, string>>;
}

/**
 * aedes 1.x in this process: MQTT 3.1.1 only, everywhere, with nothing installed. `kill9` destroys its sockets and forgets
 * everything, as a crash would.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<MqttBroker> {
  const port = options.port ?? (await freePort());
  const wsPort = options.websockets ? await freePort() : undefined;
  recordUse({ broker: 'aedes', version: '1.2.0', source: 'embedded' });
  let running: Embedded | undefined = await start(options, port, wsPort);
  const controls = {
    pid: () => undefined,
    log: async () => '',
    async end() {
      const ending = running;
      running = undefined;
      await ending?.end();
    },
    async start() {
      running = await start(options, port, wsPort);
    },
    async remove() {},
  };
  return controlled(controls, {
    source: 'embedded' as const,
    version: 'aedes 1.2.0',
    url: `mqtt://127.0.0.1:${port}`,
    wsUrl: wsPort === undefined ? undefined : `ws://127.0.0.1:${wsPort}`,
    port,
  });
}

interface Embedded {
  end(): Promise<void>;
}

async function start(options: EmbeddedOptions, port: number, wsPort: number | undefined): Promise<Embedded> {
  const aedes = await Aedes.createBroker({ queueLimit: 10_000, concurrency: 1_000 });
  if (options.users) {
    const users = new Map(Object.entries(options.users));
    aedes.authenticate = (_client, user, password, done) => {
      const good = user !== undefined && users.has(user) && users.get(user) === password?.toString();
      // Return code 4 of MQTT 3.1.1: bad user name or password.
      if (good) done(null, true);
      else done(Object.assign(new Error('bad user name or password'), { returnCode: 4 }), false);
    };
  }
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setNoDelay(true);
    aedes.handle(socket);
  });
  await listen(tcp, port);
  const ws = wsPort === undefined ? undefined : new WebSocketServer({ port: wsPort, host: '127.0.0.1' });
  ws?.on('connection', (socket, request) => {
    aedes.handle(createWebSocketStream(socket), request);
  });
  return {
    async end() {
      for (const socket of sockets) socket.destroy();
      for (const socket of ws?.clients ?? []) socket.terminate();
      await new Promise<void>((resolve) => (ws ? ws.close(() => resolve()) : resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
