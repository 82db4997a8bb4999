/**
 * One connection to the broker, from its opening to its end. amqplib does the framing and the heartbeat; its recovery stays
 * off. A link that ended is thrown away, with all its channels.
 */
import { type CommlibError, ConnectionError } from '@commlib/core';
import { type Channel, type ChannelModel, type ConfirmChannel, connect, credentials } from 'amqplib';
import { connectError, lossError } from './errors.js';
import { gatherWrites } from './gather.js';
import type { AmqpConfig, AmqpHost } from './options.js';

/** Encoded messages a channel holds before it says that it is congested. amqplib's own 1024 a burst fills in one turn. */
const HIGH_WATER_MARK = 4096;

/** What is written in one piece at most, and read. Node's own 16 or 64 KiB hold few small messages. */
const SOCKET_BYTES = 262_144;

export class Link {
  readonly host: AmqpHost;
  readonly #model: ChannelModel;
  readonly #socket: AbortController;
  readonly #onEnd: (link: Link, error: CommlibError) => void;
  #end: CommlibError | undefined;
  #reason: unknown;
  readonly #channels = new Set<Channel>();
  /** Called once each, when the link ends. */
  readonly #watchers = new Set<(error: CommlibError) => void>();

  /** Connects to one host. Rejects with the reason; nothing is left open then. */
  static async open(
    config: AmqpConfig,
    host: AmqpHost,
    options: {
      readonly signal: AbortSignal;
      readonly before: boolean;
      readonly onEnd: (link: Link, error: CommlibError) => void;
    },
  ): Promise<Link> {
    const { signal } = options;
    signal.throwIfAborted();
    // The only way to end amqplib's socket at once, be it connecting or open.
    const socket = new AbortController();
    const interrupt = () => socket.abort();
    signal.addEventListener('abort', interrupt, { once: true });
    try {
      const model = await connect(
        {
          protocol: host.protocol,
          hostname: host.host,
          port: host.port,
          username: host.username,
          password: host.password,
          // amqplib takes it for a part of a URL.
          vhost: encodeURIComponent(host.vhost),
          heartbeat: config.heartbeatSeconds,
          frameMax: 131_072,
        },
        {
          ...tlsOptions(config),
          noDelay: true,
          keepAlive: true,
          timeout: config.connectTimeoutMs,
          credentials: credentials.plain(host.username, host.password),
          clientProperties: { connection_name: config.connectionName },
          // Passed on to Node's socket.
          ...{ signal: socket.signal, highWaterMark: SOCKET_BYTES },
        },
      );
      gatherWrites(model.connection);
      const link = new Link(host, model, socket, options.onEnd);
      if (signal.aborted) link.abandon(interrupted(host));
      link.throwIfEnded();
      return link;
    } catch (error) {
      if (signal.aborted) throw interrupted(host);
      throw connectError(error, host.target, options.before);
    } finally {
      signal.removeEventListener('abort', interrupt);
    }
  }

  private constructor(
    host: AmqpHost,
    model: ChannelModel,
    socket: AbortController,
    onEnd: (link: Link, error: CommlibError) => void,
  ) {
    this.host = host;
    this.#model = model;
    this.#socket = socket;
    this.#onEnd = onEnd;
    model.on('error', (error) => {
      this.#reason ??= error;
    });
    // A handler of ours that threw: a fault in this package, which must not end the process.
    model.on('handler-error', (error) => this.abandon(lossError(error, host.target)));
    model.on('close', (error) =>
      this.#ended(lossError(this.#reason ?? error ?? new Error('Unexpected close'), host.target)),
    );
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  throwIfEnded(): void {
    if (this.#end) throw this.#end;
  }

  /** The version of the broker, as it says. */
  get version(): string {
    return String(this.#model.connection.serverProperties.version ?? '');
  }

  /** A channel that cannot end the process; `onClosed` is called when the broker closes it while the link lives. */
  async channel(onClosed: (error: unknown) => void): Promise<Channel> {
    this.throwIfEnded();
    return this.#watch(await this.#model.createChannel({ highWaterMark: HIGH_WATER_MARK }), onClosed);
  }

  /** The same, with confirmations. */
  async confirmChannel(onClosed: (error: unknown) => void): Promise<ConfirmChannel> {
    this.throwIfEnded();
    return this.#watch(await this.#model.createConfirmChannel({ highWaterMark: HIGH_WATER_MARK }), onClosed);
  }

  /** Calls back when the link ends; returns the way to stop that. */
  onEnd(watcher: (error: CommlibError) => void): () => void {
    if (this.#end) watcher(this.#end);
    else this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Ends it in good order, or after the deadline at once. */
  async close(deadlineMs: number): Promise<void> {
    if (!this.alive) return;
    const timer = setTimeout(() => this.#socket.abort(), deadlineMs);
    try {
      // What was settled in this very turn is acknowledged at its end.
      await new Promise((resolve) => setImmediate(resolve));
      // The end of the connection overtakes what the channels still hold.
      await Promise.all([...this.#channels].map((channel) => this.closeChannel(channel)));
      if (this.alive) await this.#orEnd(this.#model.close());
    } catch {
      // It ended on its own meanwhile.
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends a channel in good order: what was sent on it before has reached the broker then. */
  async closeChannel(channel: Channel): Promise<void> {
    try {
      await this.#orEnd(channel.close());
    } catch {
      // It ended on its own meanwhile.
    }
  }

  /** Ends it at once: nothing more goes out or comes in. */
  abandon(error: CommlibError): void {
    if (!this.alive) return;
    this.#ended(error);
    this.#socket.abort();
  }

  /** amqplib leaves who closes something waiting when the connection ends meanwhile. */
  #orEnd(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.onEnd(() => resolve());
      work.then(resolve, reject).finally(stop);
    });
  }

  #watch<C extends Channel>(channel: C, onClosed: (error: unknown) => void): C {
    let reason: unknown;
    this.#channels.add(channel);
    channel.on('error', (error) => {
      reason = error;
    });
    channel.on('handler-error', (error) => this.abandon(lossError(error, this.host.target)));
    channel.on('close', () => {
      this.#channels.delete(channel);
      // With the connection, or because we closed it: nothing to tell.
      if (reason !== undefined && this.alive) onClosed(reason);
    });
    return channel;
  }

  #ended(error: CommlibError): void {
    if (this.#end) return;
    this.#end = error;
    for (const watcher of this.#watchers) watcher(error);
    this.#watchers.clear();
    this.#onEnd(this, error);
  }
}

function interrupted(host: AmqpHost): ConnectionError {
  return new ConnectionError('CONNECTION_FAILED', `${host.target}: the attempt was interrupted`);
}

function tlsOptions({ tls }: AmqpConfig): Record<string, unknown> {
  const bytes = (value: string | Uint8Array) => (typeof value === 'string' ? value : Buffer.from(value));
  const { ca, cert, key, passphrase, servername, rejectUnauthorized } = tls;
  return {
    ...(ca === undefined
      ? {}
      : { ca: typeof ca === 'string' || ca instanceof Uint8Array ? bytes(ca) : ca.map(bytes) }),
    ...(cert === undefined ? {} : { cert: bytes(cert) }),
    ...(key === undefined ? {} : { key: bytes(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
}
