/** One TCP connection to a NATS server, from the greeting to its end. */
import { createConnection, type Socket } from 'node:net';
import { type CommlibError, ConnectionError, textOf } from '@commlib/core';
import { Reader, type ServerWord } from './protocol.js';

/** A server that does not answer for this long is taken for dead. */
const PATIENCE_MS = 5_000;

/** What a connection is made with. */
export interface ConnectionOptions {
  readonly url: URL;
  readonly onMessage: (message: Extract<ServerWord, { word: 'MSG' }>) => void;
  /** Called once, when a connection that was open is no more. */
  readonly onEnd: (error: CommlibError) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #reader = new Reader();
  /** Those who wait for the answer to a PING, in the order they asked. */
  #pongs: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];
  #drained: Promise<void> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #end: CommlibError | undefined;
  maxPayload = 1_048_576;

  /** Connects and logs in. Rejects with the reason; nothing is left open then. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const connection = new Connection(options);
    const abort = () => connection.#fail(lost('the attempt was interrupted'));
    signal.addEventListener('abort', abort, { once: true });
    try {
      // The server handles what it is sent in order: its PONG says that it took the CONNECT before it.
      await connection.flushed();
      if (connection.#end) throw connection.#end;
      connection.#heartbeat = setInterval(() => connection.flushed().catch(() => {}), PATIENCE_MS);
      return connection;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  private constructor(options: ConnectionOptions) {
    this.#options = options;
    const { url } = options;
    this.#socket = createConnection({ host: url.hostname, port: Number(url.port || 4222), noDelay: true });
    this.#socket.on('error', (error) => this.#fail(socketError(error)));
    this.#socket.on('close', () => this.#fail(lost('the connection was lost')));
    this.#socket.on('data', (chunk) => {
      try {
        for (const word of this.#reader.read(chunk)) this.#hear(word);
      } catch (error) {
        this.#fail(lost(`the server said something that is no NATS: ${textOf(error)}`));
      }
    });
    const credentials = url.username
      ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
      : {};
    this.#socket.write(
      `CONNECT ${JSON.stringify({ verbose: false, pedantic: false, headers: true, ...credentials })}\r\n`,
    );
  }

  /** Hands bytes to the connection; waits only while it takes no more. */
  write(bytes: Buffer | string): Promise<void> {
    if (this.#end) return Promise.reject(this.#end);
    if (this.#socket.write(bytes)) return Promise.resolve();
    this.#drained ??= new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done).off('close', done);
        this.#drained = undefined;
        resolve();
      };
      this.#socket.once('drain', done).once('close', done);
    });
    return this.#drained;
  }

  /** Resolves when the server has handled everything written before. */
  flushed(): Promise<void> {
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(lost('the server does not answer')), PATIENCE_MS);
      const done = () => clearTimeout(timer);
      this.#pongs.push({
        resolve: () => resolve(done()),
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#socket.write('PING\r\n');
    });
  }

  /** Ends it; nobody is told. */
  close(): void {
    this.#end ??= lost('the connection was closed');
    this.#cleanUp(this.#end);
  }

  #hear(word: ServerWord): void {
    if (this.#end) return;
    if (word.word === 'MSG') this.#options.onMessage(word);
    else if (word.word === 'PING') this.#socket.write('PONG\r\n');
    else if (word.word === 'PONG') this.#pongs.shift()?.resolve();
    else if (word.word === 'INFO') this.maxPayload = word.info.max_payload ?? this.maxPayload;
    else if (word.word === '-ERR' && /authorization violation|authentication/i.test(word.text)) {
      const options = { permanent: true };
      this.#fail(
        new ConnectionError('AUTHENTICATION_FAILED', 'the server refused user and password', options),
      );
    }
  }

  #fail(error: CommlibError): void {
    if (this.#end) return;
    this.#end = error;
    const opened = this.#heartbeat !== undefined;
    this.#cleanUp(error);
    if (opened) this.#options.onEnd(error);
  }

  #cleanUp(error: CommlibError): void {
    clearInterval(this.#heartbeat);
    this.#socket.destroy();
    for (const { reject } of this.#pongs.splice(0)) reject(error);
  }
}

function lost(why: string): ConnectionError {
  return new ConnectionError('CONNECTION_LOST', why);
}

function socketError(error: Error & { code?: string }): ConnectionError {
  const refused = error.code === 'ECONNREFUSED';
  const message = refused ? 'no NATS server listens there' : textOf(error);
  return new ConnectionError(refused ? 'CONNECTION_REFUSED' : 'CONNECTION_LOST', message, { cause: error });
}
