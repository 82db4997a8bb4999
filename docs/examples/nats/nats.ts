/** A transport over core NATS: at most once, with groups and headers, nothing kept. */
import {
  AbortedError,
  abortable,
  type Capabilities,
  type ConnectOptions,
  type Headers,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  type ReplyTarget,
  randomHex,
  type SendOptions,
  type ServeOptions,
  type SubscribeOptions,
  Supervisor,
  type Transport,
  type TransportStatus,
  UnsupportedError,
  within,
} from '@commlib/core';
import { Connection } from './connection.js';
import { natsNames } from './names.js';
import { publication, type ServerWord } from './protocol.js';

const capabilities: Capabilities = {
  retained: { missing: 'NATS keeps no last message' },
  headers: ['at-most-once'],
  keys: { missing: 'NATS has no ordering keys' },
  expiry: { missing: 'nothing is kept that could expire' },
  wildcards: 'native',
  durableWildcards: { missing: 'core NATS keeps nothing; JetStream would' },
  groups: 'native',
  durableGroups: { missing: 'core NATS keeps nothing; JetStream would' },
  atLeastOnce: { missing: 'core NATS keeps nothing; JetStream would' },
  redelivery: { missing: 'core NATS keeps nothing; JetStream would' },
  attempts: { missing: 'core NATS keeps nothing; JetStream would' },
  mandatory: { missing: 'NATS tells only whoever waits for an answer' },
  replay: { missing: 'core NATS keeps nothing; JetStream would' },
  serveModes: ['compete', 'all'],
  exactFilters: true,
  correlation: 'address',
  failureData: null,
};

type Message = Extract<ServerWord, { word: 'MSG' }>;

/** A subscription, as it is made again after every reconnect. */
interface Subscription {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly on: (message: Message) => void;
}

class NatsTransport implements Transport {
  readonly protocol = 'nats';
  readonly capabilities = capabilities;
  readonly names = natsNames;
  readonly #url: URL;
  readonly #supervisor: Supervisor;
  readonly #subscriptions = new Map<number, Subscription>();
  #sids = 0;
  /** While it is ready. */
  #connection: Connection | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
    this.#supervisor = new Supervisor({
      target: `nats://${this.#url.host}`,
      open: (signal) => this.#open(signal),
      shutDown: async (left) => {
        if (this.#connection) await within(left(), this.#connection.flushed());
      },
      onClosed: () => {
        this.#connection?.close();
        this.#connection = undefined;
      },
    });
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#supervisor.close(options);
  }

  async publish(address: string, payload: Uint8Array, options: SendOptions = {}): Promise<void> {
    const { delivery, key, retain, expiresInMs, mandatory, headers, signal } = options;
    const asked = { 'at-least-once': delivery === 'at-least-once', key, retain, expiresInMs, mandatory };
    for (const [what, value] of Object.entries(asked)) {
      if (value !== undefined && value !== false) throw new UnsupportedError(what, 'not over core NATS');
    }
    if (signal?.aborted) throw new AbortedError(`publishing to ${address}`, signal.reason);
    await abortable(this.#send(address, payload, { headers }), signal, `publishing to ${address}`);
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    if (options.delivery === 'at-least-once' || (options.start ?? 'new') !== 'new') {
      throw new UnsupportedError('at-least-once', 'core NATS keeps nothing');
    }
    return this.#take(filter, options.group, onMessage);
  }

  async openInbox({ prefix }: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const base = `${prefix?.replaceAll('/', '.') ?? '_INBOX'}.${randomHex()}`;
    const intake = await this.#take(`${base}.*`, undefined, (reply) =>
      onReply({ ...reply, correlationId: reply.address.slice(base.length + 1) }),
    );
    let calls = 0;
    return {
      claim() {
        const correlationId = String(++calls);
        return { replyTo: `${base}.${correlationId}`, correlationId };
      },
      send: (address, payload, { replyTo }) => this.#send(address, payload, { reply: replyTo }),
      release() {},
      close: () => intake.close(),
    };
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    const { mode = 'compete', group = address } = options;
    if (mode === 'exclusive') throw new UnsupportedError('exclusive services', 'NATS knows compete and all');
    return this.#take(address, mode === 'compete' ? group : undefined, onRequest);
  }

  respond(_request: Inbound, { replyTo }: ReplyTarget, payload: Uint8Array): Promise<void> {
    return this.#send(replyTo, payload, {});
  }

  /** Everything on it is there again before the supervisor says ready: the server's PONG comes after all SUBs. */
  async #open(signal: AbortSignal): Promise<void> {
    const connection = await Connection.open(
      {
        url: this.#url,
        onMessage: (message) => this.#subscriptions.get(message.sid)?.on(message),
        onEnd: (error) => {
          this.#connection = undefined;
          this.#supervisor.lost(error);
        },
      },
      signal,
    );
    try {
      for (const [sid, subscription] of this.#subscriptions) void connection.write(sub(sid, subscription));
      await connection.flushed();
      signal.throwIfAborted();
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
  }

  async #take(filter: string, group: string | undefined, on: (message: Inbound) => void): Promise<Intake> {
    if (group !== undefined && /\s/.test(group))
      throw new UnsupportedError('the group', 'no white space in NATS');
    this.#supervisor.throwIfEnding();
    // `a.>` does not match `a`, and our `a.#` does: that is a second subscription.
    const subjects = filter.endsWith('.>') ? [filter, filter.slice(0, -2)] : [filter];
    const sids = subjects.map((subject) => {
      const sid = ++this.#sids;
      this.#subscriptions.set(sid, { subject, queue: group, on: (message) => on(toInbound(message)) });
      return sid;
    });
    const leave = () => {
      for (const sid of sids) this.#subscriptions.delete(sid);
    };
    const connection = this.#connection;
    try {
      if (connection) {
        for (const sid of sids) {
          const subscription = this.#subscriptions.get(sid);
          if (subscription) void connection.write(sub(sid, subscription)).catch(() => {});
        }
        await connection.flushed();
      }
    } catch (error) {
      // Lost in between: it is made with the next connection, unless there will be none.
      if (!this.#supervisor.mayReturn) {
        leave();
        throw error;
      }
    }
    return {
      close: async () => {
        leave();
        const now = this.#connection;
        if (now === undefined) return;
        for (const sid of sids) void now.write(`UNSUB ${sid}\r\n`).catch(() => {});
        await now.flushed().catch(() => {});
      },
    };
  }

  async #send(
    subject: string,
    payload: Uint8Array,
    more: { readonly reply?: string; readonly headers?: Headers | undefined },
  ): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw this.#supervisor.offline();
    const { bytes, size } = publication(subject, payload, more);
    // The server would end the connection.
    if (size > connection.maxPayload) {
      throw new UnsupportedError(`a message of ${size} bytes`, `the server takes ${connection.maxPayload}`);
    }
    await connection.write(bytes);
  }
}

function sub(sid: number, { subject, queue }: Subscription): string {
  return queue === undefined ? `SUB ${subject} ${sid}\r\n` : `SUB ${subject} ${queue} ${sid}\r\n`;
}

function toInbound({ subject, payload, headers, reply }: Message): Inbound {
  return { address: subject, payload, headers, replyTo: reply, retained: false };
}

/**
 * @example
 * ```ts
 * const node = await new Node({ transport: nats('nats://localhost:4222') }).start();
 * ```
 */
export function nats(url: string): Transport {
  return new NatsTransport(url);
}
