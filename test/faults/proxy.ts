import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { freePort } from '../brokers/ports.js';

/** A TCP proxy on 127.0.0.1 that does to connections what networks do to them. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections accepted since the start, refused ones not counted. */
  readonly accepted: number;
  /**
   * Half-open link: nothing more passes in either direction, also on new connections, and nobody is told. What arrives
   * meanwhile passes after {@link resume}.
   */
  pause(): void;
  resume(): void;
  /** Resets every open connection (TCP RST on both sides). New ones are accepted. */
  cut(): void;
  /** Ends every open connection in good order (TCP FIN on both sides). New ones are accepted. */
  hangUp(): void;
  /** Cuts, and from then on refuses every new connection, as a port that nobody listens on does. */
  refuse(): Promise<void>;
  /** Ends {@link refuse}. */
  accept(): Promise<void>;
  /**
   * Holds every byte back for this long, in both directions, in order; with `jitterMs` up to so much longer, each chunk anew.
   * 0 ends it.
   */
  latency(ms: number, jitterMs?: number): void;
  /**
   * Passes what comes in pieces of at most so many bytes, at random sizes: protocols must not take a chunk for a message. Of
   * a large chunk only the first kilobyte is cut so small. 0 ends it.
   */
  pieces(maxBytes: number): void;
  close(): Promise<void>;
}

/** The address of a proxy: the URL of what lies behind it, with the proxy's host and port. */
export function through(proxy: TcpProxy, url: string): string {
  const changed = new URL(url);
  // `localhost` stays, since certificates are made out to it; it is the same machine.
  if (changed.hostname !== 'localhost') changed.hostname = '127.0.0.1';
  changed.port = String(proxy.port);
  return changed.href.replace(/\/$/, url.endsWith('/') ? '/' : '');
}

/**
 * Starts a proxy in front of a server.
 *
 * @example
 * const proxy = await startProxy(broker.port);
 * const node = connect(through(proxy, broker.url));
 * proxy.pause();
 */
export async function startProxy(targetPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
  const port = await freePort();
  const links = new Set<Link>();
  let paused = false;
  let delay: Delay = { ms: 0, jitterMs: 0 };
  let pieceBytes = 0;
  let accepted = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    accepted++;
    const target = tcpConnect({ port: targetPort, host: targetHost, noDelay: true, allowHalfOpen: true });
    const link: Link = { client, target, pipes: [] };
    link.pipes = [new Pipe(client, target), new Pipe(target, client)];
    for (const pipe of link.pipes) {
      pipe.delay = delay;
      pipe.pieceBytes = pieceBytes;
      if (paused) pipe.pause();
    }
    links.add(link);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.on('error', () => {
        if (!paused) reset(other);
      });
      socket.once('close', () => {
        // A paused link does not even tell that the other side has gone; resume and cut do.
        if (paused) return;
        links.delete(link);
        other.destroy();
      });
    }
  });
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  await listen();
  const everyPipe = (act: (pipe: Pipe) => void) => {
    for (const link of links) link.pipes.forEach(act);
  };
  const cut = () => {
    for (const { client, target } of links) {
      reset(client);
      reset(target);
    }
    links.clear();
  };
  const refuse = async () => {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    cut();
    await closed;
  };
  const close = async () => {
    everyPipe((pipe) => pipe.stop());
    await refuse();
  };
  return {
    port,
    get open() {
      return links.size;
    },
    get accepted() {
      return accepted;
    },
    pause() {
      paused = true;
      everyPipe((pipe) => pipe.pause());
    },
    resume() {
      paused = false;
      everyPipe((pipe) => pipe.resume());
      for (const link of links) {
        if (!link.client.closed && !link.target.closed) continue;
        links.delete(link);
        link.client.destroy();
        link.target.destroy();
      }
    },
    cut,
    hangUp() {
      for (const { client, target } of links) {
        client.end();
        target.end();
      }
    },
    refuse,
    async accept() {
      if (!server.listening) await listen();
    },
    latency(ms, jitterMs = 0) {
      delay = { ms, jitterMs };
      everyPipe((pipe) => {
        pipe.delay = delay;
      });
    },
    pieces(maxBytes) {
      pieceBytes = maxBytes;
      everyPipe((pipe) => {
        pipe.pieceBytes = maxBytes;
      });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Link {
  client: Socket;
  target: Socket;
  pipes: Pipe[];
}

interface Delay {
  ms: number;
  jitterMs: number;
}

/** Beyond so many bytes of a chunk the rest passes in one piece: a megabyte in pieces of ten bytes would take minutes. */
const CUT_SMALL = 1_024;

/** With a reset, where there can be one: on a socket that is saying goodbye it fails, and Node would wait for ever at its exit. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** One direction of a connection, with an order-keeping delay and a tap. */
class Pipe {
  delay: Delay = { ms: 0, jitterMs: 0 };
  pieceBytes = 0;
  #queue: { at: number; chunk: Buffer | undefined }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #paused = false;

  readonly #from: Socket;
  readonly #to: Socket;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk) => this.#put(chunk));
    from.once('end', () => this.#put(undefined));
    from.once('close', () => this.#rest());
    to.on('drain', () => {
      if (!this.#paused) this.#from.resume();
    });
  }

  pause(): void {
    this.#paused = true;
    this.#rest();
    this.#from.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#from.resume();
    this.#flush();
  }

  stop(): void {
    this.#queue = [];
    this.#rest();
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }

  #put(chunk: Buffer | undefined): void {
    const at = performance.now() + this.delay.ms + Math.random() * this.delay.jitterMs;
    let from = 0;
    if (chunk && this.pieceBytes > 0) {
      while (from < Math.min(chunk.length, CUT_SMALL)) {
        const to = from + 1 + Math.floor(Math.random() * this.pieceBytes);
        this.#queue.push({ at, chunk: chunk.subarray(from, to) });
        from = to;
      }
    }
    if (chunk === undefined || from < chunk.length) this.#queue.push({ at, chunk: chunk?.subarray(from) });
    this.#flush();
  }

  #flush(): void {
    while (!this.#paused && this.#timer === undefined && this.#turn === undefined) {
      const head = this.#queue[0];
      if (head === undefined) return;
      const waitMs = head.at - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#flush();
        }, waitMs);
        return;
      }
      this.#queue.shift();
      if (head.chunk === undefined) this.#to.end();
      else if (!this.#to.write(head.chunk)) this.#from.pause();
      // Written in one turn, pieces would become one chunk again.
      if (this.pieceBytes > 0 && this.#queue.length > 0) {
        this.#turn = setImmediate(() => {
          this.#turn = undefined;
          this.#flush();
        });
      }
    }
  }
}
