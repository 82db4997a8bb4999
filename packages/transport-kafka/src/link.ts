/**
 * One life of the connection: sockets to the brokers, from `open` until the first of them is lost. The supervisor makes
 * another one then. Everything that talks to the brokers does it through here.
 */

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type CommlibError, ConnectionError, within } from '@commlib/core';
import type { Cluster, Kafka as KafkaClient, SASLOptions } from 'kafkajs';
import { isLinkError, linkError } from './errors.js';
import { Kafka, logLevel } from './kafkajs.js';
import type { KafkaConfig, KafkaSaslOptions } from './options.js';
import { asBroker, type BrokerApi, calm, makeCluster } from './protocol.js';

/** A socket that had nothing to say for so long may be closed by the broker (`connections.max.idle.ms`); that is no loss. */
const IDLE_MS = 60_000;

/** A broker is asked for a sign of life so often: the broker that was lost without a word is noticed. */
const PING_MS = 5000;

export class Link {
  readonly #config: KafkaConfig;
  readonly #onEnd: (link: Link, error: CommlibError) => void;
  readonly #sockets = new Set<Socket>();
  readonly #clusters = new Set<Cluster>();
  readonly #kafka: KafkaClient;
  /** Writes, metadata, and the shared reading. */
  readonly #main: Cluster;
  #ready = false;
  #ended: CommlibError | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;

  private constructor(config: KafkaConfig, onEnd: (link: Link, error: CommlibError) => void) {
    this.#config = config;
    this.#onEnd = onEnd;
    this.#kafka = new Kafka({
      clientId: config.clientId,
      brokers: [...config.brokers],
      ssl: config.tls !== undefined,
      ...(config.sasl ? { sasl: saslOf(config.sasl) } : {}),
      connectionTimeout: config.connectTimeoutMs,
      authenticationTimeout: config.connectTimeoutMs,
      requestTimeout: config.requestTimeoutMs,
      retry: { retries: 0, initialRetryTime: 50 },
      logLevel: logLevel.NOTHING,
      logCreator: () => () => {},
      socketFactory: ({ host, port, onConnect }) => this.#socket(host, port, onConnect),
    });
    this.#main = this.newCluster();
  }

  /** Connects to one of the brokers and learns of the others. Rejects with a `ConnectionError`; nothing is left open then. */
  static async open(
    config: KafkaConfig,
    signal: AbortSignal,
    onEnd: (link: Link, error: CommlibError) => void,
  ): Promise<Link> {
    const link = new Link(config, onEnd);
    const abort = () =>
      link.abandon(new ConnectionError('CONNECTION_FAILED', `${config.target}: the attempt was interrupted`));
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      await link.connectCluster(link.#main);
      link.throwIfEnded();
    } catch (error) {
      const known = link.#ended ?? linkError(error, config.target, false);
      link.abandon(known);
      throw known;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return link;
  }

  get alive(): boolean {
    return this.#ended === undefined;
  }

  /** Errors from now on are losses. */
  ready(): void {
    if (this.#sockets.size === 0) throw this.failed(new Error('the connection was lost'));
    this.#ready = true;
    this.#ping = setInterval(() => void this.#signOfLife(), PING_MS);
  }

  throwIfEnded(): void {
    if (this.#ended) throw this.#ended;
  }

  /** Connections of its own, for a member of a group: a broker takes one request at a time per connection, and joining waits. */
  newCluster(): Cluster {
    const cluster = makeCluster(this.#kafka);
    this.#clusters.add(cluster);
    return cluster;
  }

  /** Tries each of the brokers once. */
  async connectCluster(cluster: Cluster): Promise<void> {
    let failure: unknown;
    for (let i = 0; i < this.#config.brokers.length; i++) {
      this.throwIfEnded();
      try {
        await cluster.connect();
        await cluster.refreshMetadata();
        return;
      } catch (error) {
        failure = error;
        // Only another broker can mend it: a wrong password is wrong at all of them.
        if (!isLinkError(error)) break;
      }
    }
    throw failure;
  }

  async endCluster(cluster: Cluster, deadlineMs: number): Promise<void> {
    this.#clusters.delete(cluster);
    await within(deadlineMs, cluster.disconnect());
  }

  async broker(nodeId: number | string, cluster: Cluster = this.#main): Promise<BrokerApi> {
    const broker = await cluster.findBroker({ nodeId: String(nodeId) });
    calm(broker);
    return asBroker(broker);
  }

  /** Any of the brokers. */
  async anyBroker(cluster: Cluster = this.#main): Promise<BrokerApi> {
    const nodeId = cluster.getNodeIds()[0];
    if (nodeId === undefined)
      throw new ConnectionError('CONNECTION_FAILED', `${this.#config.target}: no broker is known`);
    return this.broker(nodeId, cluster);
  }

  async controller(): Promise<BrokerApi> {
    const broker = await this.#main.findControllerBroker();
    calm(broker);
    return asBroker(broker);
  }

  /** An error of a request: the link is lost when it was the link's. Returns it as one of ours. */
  failed(error: unknown): CommlibError {
    const known = linkError(error, this.#config.target, this.#ready);
    if (isLinkError(error)) this.#end(known);
    return this.#ended ?? known;
  }

  /** Ends it at once: Kafka knows no goodbye, but that of a member of a group. */
  abandon(error: CommlibError): void {
    this.#ended ??= error;
    clearInterval(this.#ping);
    // Without an error kafkajs would not notice, and leave its promises open.
    for (const socket of this.#sockets) socket.destroy(new Error('the connection was ended'));
    this.#sockets.clear();
  }

  #end(error: CommlibError): void {
    if (this.#ended) return;
    this.abandon(error);
    this.#onEnd(this, error);
  }

  async #signOfLife(): Promise<void> {
    try {
      await (await this.anyBroker()).apiVersions();
    } catch (error) {
      if (this.alive) this.failed(error);
    }
  }

  #socket(host: string, port: number, onConnect: () => void): Socket {
    const { tls, route } = this.#config;
    const there = route({ host, port });
    const { servername = nameOf(host), ca, ...rest } = tls ?? {};
    const socket = tls
      ? connectTls(
          {
            ...there,
            ...(servername === undefined ? {} : { servername }),
            ...(ca === undefined ? {} : { ca: toMutable(ca) }),
            ...defined(rest),
          },
          onConnect,
        )
      : connectTcp({ ...there }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, IDLE_MS);
    let heard = performance.now();
    let failure: Error | undefined;
    socket.on('data', () => {
      heard = performance.now();
    });
    socket.on('error', (error) => {
      failure = error;
    });
    let byPeer = false;
    socket.on('end', () => {
      byPeer = !socket.writableEnded;
    });
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (!this.alive || !this.#ready || (!byPeer && failure === undefined)) return;
      if (failure === undefined && performance.now() - heard > IDLE_MS) return;
      this.#end(linkError(failure ?? new Error('closed'), this.#config.target, true));
    });
    this.#sockets.add(socket);
    if (!this.alive) socket.destroy(new Error('the connection was ended'));
    return socket;
  }
}

function saslOf({ mechanism, username, password }: Required<KafkaSaslOptions>): SASLOptions {
  // Spelled out: a union of mechanisms is no mechanism to the types of kafkajs.
  if (mechanism === 'plain') return { mechanism, username, password };
  if (mechanism === 'scram-sha-256') return { mechanism, username, password };
  return { mechanism, username, password };
}

/** SNI is for names only. */
function nameOf(host: string): string | undefined {
  return /^[\d.]+$/.test(host) ? undefined : host;
}

type Pem = string | Uint8Array;

function toMutable(ca: Pem | readonly Pem[]): string | Buffer | (string | Buffer)[] {
  const one = (pem: Pem) => (typeof pem === 'string' ? pem : Buffer.from(pem));
  return typeof ca === 'string' || ca instanceof Uint8Array ? one(ca) : ca.map(one);
}

/** Node takes `undefined` for some TLS options as a value. */
function defined(options: {
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly passphrase?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
}): { cert?: string | Buffer; key?: string | Buffer; passphrase?: string; rejectUnauthorized?: boolean } {
  const pem = (value: Pem) => (typeof value === 'string' ? value : Buffer.from(value));
  return {
    ...(options.cert === undefined ? {} : { cert: pem(options.cert) }),
    ...(options.key === undefined ? {} : { key: pem(options.key) }),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
    ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
  };
}
