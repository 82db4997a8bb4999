/** An MQTT 3.1.1 broker inside this process (aedes): nothing to install, nothing kept. For trying out, not for service. */
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';

/** Options of {@link startBroker}. */
export interface BrokerOptions {
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** Address to listen on. Default `127.0.0.1`: this machine only. */
  readonly host?: string | undefined;
  /** Also MQTT over WebSocket, at this port (0: a free one). Default: not. */
  readonly wsPort?: number | undefined;
  /** Told of clients that come and go. */
  readonly onClient?: ((id: string, state: 'connected' | 'gone') => void) | undefined;
}

/** A broker that runs. */
export interface EmbeddedBroker extends AsyncDisposable {
  /** `mqtt://127.0.0.1:1883` */
  readonly url: string;
  readonly port: number;
  /** `ws://127.0.0.1:9001`, when asked for. */
  readonly wsUrl: string | undefined;
  /** Cuts every connection and ends. */
  close(): Promise<void>;
}

/**
 * Starts a broker.
 *
 * @throws The error of `listen`, such as `EADDRINUSE`.
 * @example
 * ```ts
 * const broker = await startBroker();
 * console.log(broker.url); // mqtt://127.0.0.1:41234
 * await broker.close();
 * ```
 */
export async function startBroker(options: BrokerOptions = {}): Promise<EmbeddedBroker> {
  const { port = 0, host = '127.0.0.1', wsPort, onClient } = options;
  const aedes = await Aedes.createBroker({ queueLimit: 10_000, concurrency: 1_000 });
  aedes.on('client', (client) => onClient?.(client.id, 'connected'));
  aedes.on('clientDisconnect', (client) => onClient?.(client.id, 'gone'));
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Without it the answer of a call waits up to 40 ms for the acknowledgement of the packet before.
    socket.setNoDelay(true);
    aedes.handle(socket);
  });
  let ws: WebSocketServer | undefined;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    for (const socket of ws?.clients ?? []) socket.terminate();
    await new Promise<void>((resolve) => (ws ? ws.close(() => resolve()) : resolve()));
    await new Promise<void>((resolve) => (tcp.listening ? tcp.close(() => resolve()) : resolve()));
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
  };
  try {
    await listen(tcp, port, host);
    if (wsPort !== undefined) ws = await listenWs(wsPort, host);
  } catch (error) {
    await close();
    throw error;
  }
  ws?.on('connection', (socket, request) => aedes.handle(createWebSocketStream(socket), request));
  let closing: Promise<void> | undefined;
  const once = () => (closing ??= close());
  const bound = portOf(tcp.address());
  return {
    url: `mqtt://${inUrl(host)}:${bound}`,
    port: bound,
    wsUrl: ws && `ws://${inUrl(host)}:${portOf(ws.address())}`,
    close: once,
    [Symbol.asyncDispose]: once,
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function listenWs(port: number, host: string): Promise<WebSocketServer> {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({ port, host }, () => {
      server.off('error', reject);
      resolve(server);
    });
    server.once('error', reject);
  });
}

function portOf(address: ReturnType<Server['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
