/** The in-memory transport: the test double with the real semantics. */
import { BOTH, type Capabilities } from '../capabilities.js';
import {
  BufferFullError,
  ClosedError,
  ConnectionError,
  InvalidNameError,
  NotConnectedError,
} from '../errors.js';
import { checkAddress, checkFilter, levelsOf, type Name } from '../names/name.js';
import type { TransportStatus } from '../status.js';
import { Supervisor } from '../supervisor.js';
import type {
  ConnectOptions,
  Inbound,
  Inbox,
  InboxOptions,
  Intake,
  NameMapping,
  ReplyTarget,
  SendOptions,
  ServeOptions,
  SubscribeOptions,
  Transport,
} from '../transport.js';
import { type Deferred, deferred } from '../util/deferred.js';
import { randomHex } from '../util/random.js';
import { type BrokerClient, type Consumer, MemoryBroker } from './broker.js';

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** Connections to one broker hear each other. Default: a broker of its own. */
  readonly broker?: MemoryBroker | undefined;
  /** At-least-once messages kept while the broker is down. Default 10 000. */
  readonly maxBuffered?: number | undefined;
}

const names: NameMapping = {
  address(name) {
    checkAddress(name);
    return levelsOf(name).join('/');
  },
  filter(name: Name) {
    checkFilter(name);
    if (name.kind !== 'commlib') return levelsOf(name).join('/');
    const filter = name.text.replace(/\*$/, '#').replaceAll('.', '/').replaceAll('/*', '/+');
    if (filter.includes('*')) throw new InvalidNameError(name.text, '* must be a level of its own');
    return filter;
  },
  levels: (address) => address.split('/'),
  checkReply(replyTo) {
    checkAddress({ text: replyTo, kind: 'literal' });
  },
};

const capabilities: Capabilities = {
  retained: true,
  headers: BOTH,
  keys: BOTH,
  expiry: BOTH,
  wildcards: 'native',
  groups: 'native',
  atLeastOnce: 'native',
  redelivery: 'native',
  attempts: ['at-least-once'],
  replay: { missing: 'the in-memory broker keeps no log' },
  serveModes: ['compete', 'all'],
  exactFilters: true,
  correlation: 'metadata',
  failureData: null,
};

/** What is there again after every reconnect. */
type Attach = () => () => void;

class MemoryTransport implements Transport, BrokerClient {
  readonly protocol = 'memory';
  readonly capabilities = capabilities;
  readonly names = names;
  readonly #broker: MemoryBroker;
  readonly #maxBuffered: number;
  readonly #supervisor: Supervisor;
  readonly #attached = new Map<Attach, () => void>();
  readonly #outbox: { send: () => void; done: Deferred<void> }[] = [];

  constructor(options: MemoryOptions) {
    this.#broker = options.broker ?? new MemoryBroker();
    this.#maxBuffered = options.maxBuffered ?? 10_000;
    this.#supervisor = new Supervisor({
      target: 'memory',
      open: () => this.#open(),
      backoff: { minMs: 1, maxMs: 20 },
    });
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  async close(): Promise<void> {
    this.#supervisor.close();
    this.#detachAll();
    this.#broker.detach(this);
    for (const { done } of this.#outbox.splice(0)) done.reject(new ClosedError('the in-memory connection'));
  }

  lost(): void {
    this.#detachAll();
    this.#supervisor.lost(new ConnectionError('CONNECTION_LOST', 'the in-memory broker went away'));
  }

  async publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    this.#assertOpen();
    const send = () => this.#broker.publish(address, payload, options);
    if (this.#supervisor.ready) return send();
    if (options?.delivery !== 'at-least-once') throw new NotConnectedError();
    if (this.#outbox.length >= this.#maxBuffered)
      throw new BufferFullError('the buffer of unsent messages', this.#maxBuffered);
    const done = deferred<void>();
    this.#outbox.push({ send, done });
    return done.promise;
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    const consumer: Consumer = { receive: onMessage, maxInFlight: options.maxInFlight };
    return this.#attach(() => this.#broker.subscribe(filter, options, consumer));
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    const consumer: Consumer = { receive: onRequest, maxInFlight: options.maxInFlight };
    return this.#attach(() => this.#broker.serve(address, options.mode ?? 'compete', consumer));
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const address = `${options.prefix === undefined ? '' : `${options.prefix}/`}rpc-${randomHex()}`;
    const consumer: Consumer = { receive: onReply, maxInFlight: Number.POSITIVE_INFINITY };
    const intake = this.#attach(() => this.#broker.openInbox(address, consumer));
    let calls = 0;
    return {
      claim: () => ({ replyTo: address, correlationId: String(++calls) }),
      send: async (to, payload, target) => {
        this.#assertReady();
        this.#broker.send(to, payload, target);
      },
      release: () => {},
      close: () => intake.close(),
    };
  }

  async respond(_request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    this.#assertReady();
    this.#broker.send(target.replyTo, payload, { correlationId: target.correlationId });
  }

  async #open(): Promise<void> {
    if (!this.#broker.up) throw new ConnectionError('CONNECTION_REFUSED', 'the in-memory broker is down');
    this.#broker.attach(this);
    for (const attach of this.#attached.keys()) this.#attached.set(attach, attach());
    for (const { send, done } of this.#outbox.splice(0)) {
      send();
      done.resolve();
    }
  }

  #attach(attach: Attach): Intake {
    this.#assertOpen();
    this.#attached.set(attach, this.#supervisor.ready ? attach() : () => {});
    return {
      close: async () => {
        this.#attached.get(attach)?.();
        this.#attached.delete(attach);
      },
    };
  }

  #detachAll(): void {
    for (const [attach, detach] of this.#attached) {
      detach();
      this.#attached.set(attach, () => {});
    }
  }

  #assertOpen(): void {
    const { status } = this;
    if (status.state === 'closed') throw status.error ?? new ClosedError('the in-memory connection');
  }

  #assertReady(): void {
    this.#assertOpen();
    if (!this.#supervisor.ready) throw new NotConnectedError();
  }
}

/**
 * A transport without a network, for tests and for parts of one process. It behaves as a broker does: delivery is
 * asynchronous, connections can be lost ({@link MemoryBroker}), at-least-once messages are redelivered.
 *
 * @example
 * ```ts
 * const broker = new MemoryBroker();
 * const node = await new Node({ transport: memory({ broker }) }).start();
 * broker.kill();    // the node is reconnecting now
 * broker.restore(); // and ready again soon
 * ```
 */
export function memory(options: MemoryOptions = {}): Transport {
  return new MemoryTransport(options);
}
