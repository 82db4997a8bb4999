/**
 * One socket to a server. ioredis does the handshake and the framing; reconnecting, queueing while offline, sending again and
 * resubscribing, which it does in ways of its own, are switched off. A connection that ended is thrown away.
 */
import { type CommlibError, ConnectionError, timerMs } from '@commlib/core';
import { Command, Redis } from 'ioredis';
import { clientOptions } from './client-options.js';
import { connectionError, isMisplaced, isReply } from './errors.js';
import type { Endpoint, RedisConfig } from './options.js';
import { PayloadCommands } from './payload-command.js';
import { Pipeline } from './pipeline.js';

/** What a connection is for: commands, messages of PUBLISH, or reads that wait. */
export type Role = 'commands' | 'messages' | 'reads';

/** How a connection is made. */
export interface ConnectionOptions {
  readonly role: Role;
  /** A node of a cluster; otherwise the server of the configuration. */
  readonly endpoint?: Endpoint | undefined;
  /** Called once, when a connection that was open is no more. */
  readonly onEnd: (error: CommlibError) => void;
}

/** An argument of a command. */
export type Argument = string | Buffer | number;

/** Receives messages: the pattern is absent for a channel that was subscribed to by its name. */
export type OnMessage = (channel: string, payload: Buffer, pattern?: string) => void;

/** A read waits at the server for this long at most, and is then asked anew: so a dead link is noticed. */
export const BLOCK_MS = 5_000;

const DONE = Promise.resolve();
/** Taken once, so that a test with fake timers does not stop the watching. */
const immediate = setImmediate;

export class Connection {
  readonly target: string;
  readonly #redis: Redis;
  readonly #pipeline: Pipeline;
  readonly #payloadCommands = new PayloadCommands();
  readonly #options: ConnectionOptions;
  readonly #silenceMs: number;
  #opened = false;
  #end: CommlibError | undefined;
  #firstError: unknown;
  readonly #closed: Promise<void>;
  #watch: ReturnType<typeof setInterval> | undefined;

  /** Connects and authenticates. Rejects with the reason; nothing is left open then. */
  static async open(
    config: RedisConfig,
    options: ConnectionOptions,
    signal: AbortSignal,
  ): Promise<Connection> {
    signal.throwIfAborted();
    const connection = new Connection(config, options);
    const abort = () => connection.abandon(interrupted(connection.target));
    signal.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(
      () =>
        connection.abandon(
          new ConnectionError(
            'CONNECTION_TIMEOUT',
            // A server without TLS waits for the rest of what it takes for a command.
            `${connection.target}: the server does not answer${config.tls ? '; is TLS spoken at this port?' : ''}`,
          ),
        ),
      timerMs(config.connectTimeoutMs),
    );
    try {
      await connection.#connect();
      // Authenticated, allowed to do something, and not still loading.
      await connection.call('ping');
      if (connection.#end) throw connection.#end;
      connection.#opened = true;
      connection.#startWatch(config.keepaliveMs);
      return connection;
    } catch (error) {
      const known = connection.#end ?? connectionError(error, connection.target, false);
      connection.abandon(known);
      throw known;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  private constructor(config: RedisConfig, options: ConnectionOptions) {
    this.#options = options;
    const { endpoint } = options;
    this.target = endpoint ? `${config.target} (node ${endpoint.host}:${endpoint.port})` : config.target;
    this.#silenceMs = config.keepaliveMs + (options.role === 'reads' ? BLOCK_MS : 0);
    this.#redis = new Redis(clientOptions(config, endpoint));
    this.#pipeline = new Pipeline(this.#redis);
    this.#redis.on('error', (error: unknown) => {
      this.#firstError ??= error;
      if (this.#opened) this.abandon(connectionError(error, this.target, true));
    });
    this.#closed = new Promise((resolve) => {
      this.#redis.once('end', () => {
        const closed = new Error(
          'the server closed the connection before it answered; does it want TLS (rediss://), or none?',
        );
        this.abandon(connectionError(this.#firstError ?? closed, this.target, this.#opened));
        resolve();
      });
    });
  }

  async #connect(): Promise<void> {
    try {
      await this.#redis.connect();
    } catch (error) {
      // ioredis rejects with "Connection is closed."; what happened was in its `error` event.
      if (this.#end === undefined && this.#firstError === undefined) await this.#closed;
      throw this.#end ?? connectionError(this.#firstError ?? error, this.target, false);
    }
    // A database that could not be selected: told by an event only, and the connection goes on in another one.
    if (this.#firstError) throw connectionError(this.#firstError, this.target, false);
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  /** The connection takes bytes faster than it can send them. */
  get congested(): boolean {
    return this.#pipeline.congested;
  }

  /** Where the server is, as the socket knows it. */
  get peer(): string {
    const { stream } = this.#redis;
    return 'remotePort' in stream ? `${stream.remoteAddress}:${stream.remotePort}` : '';
  }

  /**
   * Sends a command. One of the two is called, in the very turn in which the answer is read, so that what follows in the same
   * piece from the network comes after it. Strings in answers are buffers. Neither may throw.
   */
  send(
    name: string,
    args: readonly Argument[],
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ): void {
    if (this.#end) return onError(this.#end);
    this.#pipeline.write(this.#command(name, args, onReply, onError));
  }

  /**
   * As {@link send}, of a command whose last argument is a payload: it goes out with one copy. The other arguments are expected
   * to be the same again and again.
   */
  sendPayload(
    name: string,
    args: readonly (string | number)[],
    payload: Uint8Array,
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ): void {
    if (this.#end) return onError(this.#end);
    const command = this.#payloadCommands.make(name, args, payload);
    this.#pipeline.write(this.#answeredBy(command, onReply, onError));
  }

  /** Two commands of which the server carries out both or none: MULTI, EXEC. The answer is that to the first. */
  sendBoth(
    first: readonly [name: string, ...args: Argument[]],
    second: readonly [name: string, ...args: Argument[]],
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ): void {
    if (this.#end) return onError(this.#end);
    let refused: unknown;
    const refuse = (error: unknown) => {
      refused ??= error;
    };
    const { stream } = this.#redis;
    stream.cork();
    // The same object again and again: there is nothing of its own in it.
    this.#multi ??= this.#command('multi', [], ignore, ignore);
    this.#pipeline.write(this.#multi);
    for (const [name, ...args] of [first, second])
      this.#pipeline.write(this.#command(name, args, ignore, refuse));
    this.#pipeline.write(
      this.#command(
        'exec',
        [],
        (reply) => {
          const result: unknown = Array.isArray(reply) ? reply[0] : undefined;
          if (result instanceof Error) onError(result);
          else onReply(result);
        },
        (error) => onError(refused ?? error),
      ),
    );
    stream.uncork();
  }

  #multi: Command | undefined;

  #command(
    name: string,
    args: readonly Argument[],
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ): Command {
    return this.#answeredBy(new Command(name, [...args]), onReply, onError);
  }

  #answeredBy(
    command: Command,
    onReply: (reply: unknown) => void,
    onError: (error: unknown) => void,
  ): Command {
    command.isTraced = true; // Not wrapped in one more promise.
    command.resolve = (reply: unknown) => {
      this.#pipeline.answered();
      onReply(reply);
    };
    command.reject = (error: Error) => {
      this.#pipeline.answered();
      if (this.#end === undefined && this.#opened) {
        // The server the data have moved away from will not do: everything begins anew.
        if (isMisplaced(error)) this.abandon(connectionError(error, this.target, true));
        // ioredis itself refuses: it knows of a loss a moment before it tells of it.
        else if (!isReply(error)) this.#lose(connectionError(this.#firstError ?? error, this.target, true));
      }
      onError(this.#end ?? error);
    };
    return command;
  }

  /** The same with a promise. */
  call(name: string, ...args: Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => this.send(name, args, resolve, reject));
  }

  /** Messages of PUBLISH go here. */
  listen(onMessage: OnMessage): void {
    this.#redis.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
      this.#pipeline.heard();
      if (this.#end === undefined) onMessage(channel.toString(), payload);
    });
    this.#redis.on('pmessageBuffer', (pattern: string, channel: Buffer, payload: Buffer) => {
      this.#pipeline.heard();
      if (this.#end === undefined) onMessage(channel.toString(), payload, pattern);
    });
  }

  /**
   * Runs when what is written in this turn is about to leave: at once on a quiet connection, at the end of the turn on a busy
   * one, so that much can go in one command.
   */
  soon(task: () => void): void {
    this.#pipeline.soon(task);
  }

  /** Resolves when the connection takes bytes again, or has ended. */
  drained(): Promise<void> {
    return this.#end ? DONE : this.#pipeline.drained();
  }

  /** Says goodbye when everything written is answered, and closes; by force when that takes too long. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#end) return;
    const gone = new ConnectionError('CONNECTION_LOST', `${this.target}: the connection was closed`);
    // A read that waits would keep QUIT waiting.
    if (this.#options.role === 'reads' || deadlineMs <= 0) return this.#abandonQuietly(gone);
    const timer = setTimeout(() => this.#abandonQuietly(gone), timerMs(deadlineMs));
    this.#opened = false;
    this.send('quit', [], ignore, ignore);
    await this.#closed;
    clearTimeout(timer);
    this.#abandonQuietly(gone);
  }

  /** As {@link abandon}, and told a moment later: whoever sends is in the middle of something. */
  #lose(error: CommlibError): void {
    this.#stop(error);
    queueMicrotask(() => this.#options.onEnd(error));
  }

  /** Ends the connection at once, for this reason; the first one counts. */
  abandon(error: CommlibError): void {
    if (this.#end) return;
    this.#stop(error);
    if (this.#opened) this.#options.onEnd(error);
  }

  #abandonQuietly(error: CommlibError): void {
    if (this.#end === undefined) this.#stop(error);
  }

  #stop(error: CommlibError): void {
    this.#end = error;
    clearInterval(this.#watch);
    this.#redis.disconnect();
    // A half-open link would never say that it has ended.
    const stream: Redis['stream'] | undefined = this.#redis.stream;
    stream?.destroy();
    this.#pipeline.end();
  }

  #startWatch(keepaliveMs: number): void {
    this.#watch = setInterval(
      () => {
        if (this.#pipeline.idle) return this.send('ping', [], ignore, ignore);
        if (!this.#pipeline.silentFor(this.#silenceMs)) return;
        // After a long pause of this very process, what came meanwhile is read first.
        immediate(() => {
          if (!this.#pipeline.silentFor(this.#silenceMs)) return;
          this.abandon(new ConnectionError('CONNECTION_LOST', `${this.target}: the server fell silent`));
        });
      },
      Math.max(1, timerMs(keepaliveMs / 2)),
    );
  }
}

function ignore(): void {}

function interrupted(target: string): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', `${target}: the attempt was interrupted`);
}
