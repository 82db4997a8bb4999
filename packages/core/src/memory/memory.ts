/** The in-memory transport: the test double with the real semantics. */
import { BOTH, type Capabilities, has } from '../capabilities.js';
import {
  AbortedError,
  BufferFullError,
  type CommlibError,
  ConnectionError,
  InvalidNameError,
  NoReceiverError,
  UnsupportedError,
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
import { onAbort } from '../util/on-abort.js';
import { randomHex } from '../util/random.js';
import { type Attachment, type BrokerClient, type Consumer, MemoryBroker } from './broker.js';

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
  durableWildcards: 'native',
  groups: 'native',
  durableGroups: 'native',
  atLeastOnce: 'native',
  redelivery: 'native',
  attempts: 'native',
  mandatory: true,
  replay: { missing: 'the in-memory broker keeps no log' },
  serveModes: ['compete', 'all'],
  exactFilters: true,
  correlation: 'metadata',
  failureData: null,
};

/** What is there again after every reconnect. */
type Attach = () => Attachment;

/** A message that waits for the broker to be back. */
interface Unsent {
  readonly send: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class MemoryTransport implements Transport, BrokerClient {
  readonly protocol = 'memory';
  readonly capabilities = capabilities;
  readonly names = names;
  readonly #broker: MemoryBroker;
  readonly #maxBuffered: number;
  readonly #supervisor: Supervisor;
  /** Attached to the broker, unless the connection is down. */
  readonly #attached = new Map<Attach, Attachment | undefined>();
  /** Closed, and not done with settling. */
  readonly #leaving = new Set<Attachment>();
  readonly #outbox = new Set<Unsent>();

  constructor(options: MemoryOptions) {
    this.#broker = options.broker ?? new MemoryBroker();
    this.#maxBuffered = options.maxBuffered ?? 10_000;
    this.#supervisor = new Supervisor({
      target: 'memory',
      open: () => this.#open(),
      onClosed: (error) => this.#closed(error),
      backoff: { minMs: 1, maxMs: 20 },
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

  lost(): void {
    this.#detachAll();
    this.#supervisor.lost(new ConnectionError('CONNECTION_LOST', 'the in-memory broker went away'));
  }

  async publish(address: string, payload: Uint8Array, options: SendOptions = {}): Promise<void> {
    this.#supervisor.throwIfEnding();
    const { signal, delivery } = options;
    if (signal?.aborted) throw new AbortedError(`publishing on ${address}`, signal.reason);
    const send = () => {
      const takers = this.#broker.publish(address, payload, options);
      if (takers === 0 && options.mandatory) throw new NoReceiverError(address);
    };
    if (this.#supervisor.ready) return send();
    if (delivery !== 'at-least-once') throw this.#supervisor.offline();
    if (this.#outbox.size >= this.#maxBuffered)
      throw new BufferFullError('the buffer of unsent messages', this.#maxBuffered);
    let stop: (() => void) | undefined;
    const sent = new Promise<void>((resolve, reject) => {
      const unsent: Unsent = { send, resolve, reject };
      this.#outbox.add(unsent);
      if (signal === undefined) return;
      stop = onAbort(signal, () => {
        this.#outbox.delete(unsent);
        reject(new AbortedError(`publishing on ${address}`, signal.reason));
      });
    });
    return sent.finally(() => stop?.());
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    const { replay } = this.capabilities;
    if (options.start !== undefined && options.start !== 'new' && !has(replay))
      throw new UnsupportedError('reading what was sent before', replay.missing);
    if (options.delivery === 'at-least-once' && options.group === undefined)
      throw new UnsupportedError('at-least-once', 'the subscription must name its group');
    return this.#intake(onMessage, options.maxInFlight, (consumer) =>
      this.#broker.subscribe(filter, options, consumer),
    );
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    return this.#intake(onRequest, options.maxInFlight, (consumer) =>
      this.#broker.serve(address, options.mode ?? 'compete', consumer),
    );
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const address = `${options.prefix === undefined ? '' : `${options.prefix}/`}rpc-${randomHex()}`;
    const intake = this.#intake(onReply, Number.POSITIVE_INFINITY, (consumer) =>
      this.#broker.openInbox(address, consumer),
    );
    let calls = 0;
    return {
      claim: () => ({ replyTo: address, correlationId: String(++calls) }),
      send: async (to, payload, target) => {
        this.#assertReady();
        if (this.#broker.send(to, payload, target) === 0) throw new NoReceiverError(to);
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
    for (const { send, resolve, reject } of this.#outbox) {
      try {
        send();
        resolve();
      } catch (error) {
        reject(error);
      }
    }
    this.#outbox.clear();
  }

  #intake(
    receive: (message: Inbound) => void,
    maxInFlight: number,
    attach: (consumer: Consumer) => Attachment,
  ): Intake {
    this.#supervisor.throwIfEnding();
    let open = true;
    const consumer: Consumer = {
      // A message may be under way when the intake is closed.
      receive: (message) => {
        if (open) receive(message);
      },
      maxInFlight,
    };
    const attachment = () => attach(consumer);
    this.#attached.set(attachment, this.#supervisor.ready ? attachment() : undefined);
    return {
      close: async (options) => {
        open = false;
        const attached = this.#attached.get(attachment);
        this.#attached.delete(attachment);
        if (attached === undefined) return;
        this.#leaving.add(attached);
        await attached.close(options);
        this.#leaving.delete(attached);
      },
    };
  }

  #closed(error: CommlibError): void {
    this.#detachAll();
    this.#broker.detach(this);
    for (const { reject } of this.#outbox) reject(error);
    this.#outbox.clear();
  }

  #detachAll(): void {
    for (const [attach, attachment] of this.#attached) {
      attachment?.drop();
      this.#attached.set(attach, undefined);
    }
    for (const attachment of this.#leaving) attachment.drop();
  }

  #assertReady(): void {
    if (!this.#supervisor.ready) throw this.#supervisor.offline();
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
