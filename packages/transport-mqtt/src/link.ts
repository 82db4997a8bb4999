/**
 * One connection to the broker, from CONNECT to its end. mqtt.js does the framing; reconnecting, buffering and
 * resubscribing, which it does in ways of its own, are switched off. A link that ended is thrown away.
 */
import { type CommlibError, ConnectionError, NoReceiverError, PassingMap, timerMs } from '@commlib/core';
import mqtt, {
  type IClientOptions,
  type IClientPublishOptions,
  type IPublishPacket,
  type MqttClient,
} from 'mqtt';
import { afterwards, asBuffer } from './bytes.js';
import { clientOptions } from './client-options.js';
import { Drain } from './drain.js';
import { closedBeforeConnack, disconnectError, linkError, publishError, subscribeError } from './errors.js';
import { LIMITS_OF_3, limitsOf, type ServerLimits } from './limits.js';
import type { MqttConfig } from './options.js';
import { PacketIds } from './packet-ids.js';
import { writePuback, writePublish } from './wire.js';

/** What a link is made with, apart from the configuration. */
export interface LinkOptions {
  readonly version: 5 | 4;
  readonly clientId: string;
  /** A session the broker keeps over connections, and the most unacknowledged messages it shall have under way to us. */
  readonly session?: { readonly expirySeconds: number; readonly receiveMaximum: number } | undefined;
  readonly will?: IClientOptions['will'] | undefined;
  readonly onMessage: (link: Link, packet: IPublishPacket) => void;
  /** QoS 1 messages are acknowledged by {@link Link.acknowledge}, not on arrival. */
  readonly manualAcknowledgement?: boolean | undefined;
  /** Called once, when a link that was open is no more. */
  readonly onEnd: (link: Link, error: CommlibError) => void;
}

/** How to subscribe to one filter. */
export interface LinkSubscription {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  /** MQTT 5: comes back with each message of this subscription. */
  readonly identifier?: number | undefined;
  /** MQTT 5: 1 asks for retained messages only when the subscription is new. */
  readonly retainHandling?: 0 | 1 | 2 | undefined;
}

/** A message that the broker is to confirm. */
export interface Confirmable {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: IClientPublishOptions;
  /** Refused when the broker says that nobody is subscribed (MQTT 5). */
  readonly mandatory: boolean;
}

/** What became of it. */
type Confirm = (error?: CommlibError) => void;

const DONE = Promise.resolve();
/** PUBACK, MQTT 5 §3.4.2.1: no matching subscribers. */
const NOBODY = 16;
/**
 * Unsent bytes above which a link counts as congested. Streams themselves say so at 16 KiB, which a burst of small
 * messages fills in one turn, without the network being slow.
 */
const CONGESTED_BYTES = 262_144;
/** A broker that confirms no SUBSCRIBE in this time is taken for dead. */
const ACK_TIMEOUT_MS = 30_000;

/** So many packets in one turn of the event loop make a link busy when exceeded. */
const FEW = 4;

export class Link {
  readonly version: 5 | 4;
  readonly #config: MqttConfig;
  readonly #options: LinkOptions;
  readonly #client: MqttClient;
  readonly #ids = new PacketIds();
  readonly #unconfirmed = new PassingMap<
    number,
    { readonly message: Confirmable; readonly confirm: Confirm }
  >();
  /** Messages that mqtt.js sends, told when nobody takes them. */
  readonly #mandatory = new Map<number, () => void>();
  /** Packets written in this turn of the event loop, and whether there were many in the last one. */
  #turn = 0;
  #busy = false;
  #corked = false;
  #limits: ServerLimits = { ...LIMITS_OF_3 };
  #open = false;
  #end: CommlibError | undefined;
  #opening: { resolve: () => void; reject: (error: CommlibError) => void } | undefined;
  readonly #drain = new Drain();
  readonly #closed: Promise<void>;

  /** Connects. Rejects with the reason; nothing is left open then. */
  static async open(config: MqttConfig, options: LinkOptions, signal: AbortSignal): Promise<Link> {
    signal.throwIfAborted();
    const link = new Link(config, options);
    const abort = () =>
      link.abandon(new ConnectionError('CONNECTION_FAILED', `${config.target}: the attempt was interrupted`));
    signal.addEventListener('abort', abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        link.#opening = { resolve, reject };
        if (link.#end) reject(link.#end);
      });
      return link;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  private constructor(config: MqttConfig, options: LinkOptions) {
    this.#config = config;
    this.#options = options;
    this.version = options.version;
    try {
      this.#client = mqtt.connect(clientOptions(config, options, this.#ids));
    } catch (error) {
      // A certificate or key that TLS cannot read.
      throw new ConnectionError(
        'TLS_FAILED',
        `${config.target}: ${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
          permanent: true,
        },
      );
    }
    const client = this.#client;
    client.on('error', (error) => this.abandon(linkError(error, config.target, this.#open)));
    client.stream.on('error', (error: unknown) => this.abandon(linkError(error, config.target, this.#open)));
    this.#closed = new Promise((resolve) => {
      client.on('close', () => {
        this.abandon(this.#open ? lost(config.target) : closedBeforeConnack(config.target));
        resolve();
      });
    });
    client.on('disconnect', (packet) => this.abandon(disconnectError(packet.reasonCode ?? 0, config.target)));
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'publish') this.#arrived(packet);
      else if (packet.cmd === 'puback') this.#confirmed(packet.messageId ?? 0, packet.reasonCode ?? 0);
    });
    client.on('message', (_topic, _payload, packet) => {
      if (this.#end === undefined) options.onMessage(this, packet);
    });
    client.on('connect', (connack) => {
      if (this.#end) return;
      // mqtt.js leaves Nagle's algorithm on: with it a QoS 1 round trip takes 40 to 90 ms instead of less than one.
      if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function')
        client.stream.setNoDelay(true);
      if (options.version === 5) this.#limits = limitsOf(connack.properties);
      this.#open = true;
      this.#opening?.resolve();
    });
  }

  get limits(): ServerLimits {
    return this.#limits;
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  throwIfEnded(): void {
    if (this.#end) throw this.#end;
  }

  /** The connection takes bytes faster than it can send them. */
  get congested(): boolean {
    const { stream } = this.#client;
    return stream.writableNeedDrain === true && stream.writableLength > CONGESTED_BYTES;
  }

  /** QoS 0: written at once; the promise waits only while the connection is congested. */
  send(topic: string, payload: Uint8Array, options: IClientPublishOptions): Promise<void> {
    const stream = this.#client.stream;
    if (options.properties === undefined) {
      this.#cork();
      writePublish(stream, this.version, topic, payload, 0, options.retain === true, 0);
    } else {
      // Without a callback: with one, mqtt.js adds a listener per message while congested. A copy, as in writePublish.
      this.#client.publish(topic, asBuffer(new Uint8Array(payload)), options);
    }
    return this.congested ? this.drained() : DONE;
  }

  /** QoS 1 and 2: calls `confirm` when the broker has confirmed or refused; never after the link's end. */
  sendConfirmed(message: Confirmable, confirm: Confirm): void {
    const { topic, payload, options } = message;
    const id = options.qos === 1 && options.properties === undefined ? this.#ids.allocate() : null;
    if (id === null) {
      let nobody: NoReceiverError | undefined;
      const { stream } = this.#client;
      this.#client.publish(topic, asBuffer(payload), options, (error) => {
        // mqtt.js knows of a loss a moment before it tells of it.
        if (this.#end === undefined && stream.writable) confirm(error ? this.#refusal(error, topic) : nobody);
      });
      if (message.mandatory) {
        // mqtt.js does not hand on the reason of a PUBACK that is no error.
        this.#mandatory.set(this.#client.getLastMessageId(), () => {
          nobody = new NoReceiverError(topic);
        });
      }
      return;
    }
    this.#unconfirmed.set(id, { message, confirm });
    this.#cork();
    writePublish(this.#client.stream, this.version, topic, payload, 1, options.retain === true, id);
  }

  /** Resolves when the connection takes bytes again; rejects when it ends. */
  drained(): Promise<void> {
    if (this.#end) return Promise.reject(this.#end);
    return this.#drain.wait(this.#client.stream);
  }

  /** Resolves with the QoS granted once the broker has confirmed; rejects when it refuses or the link ends. */
  async subscribe(subscription: LinkSubscription): Promise<number> {
    const { filter, qos, identifier, retainHandling } = subscription;
    const options = {
      qos,
      ...(retainHandling === undefined ? {} : { rh: retainHandling }),
      ...(identifier === undefined ? {} : { properties: { subscriptionIdentifier: identifier } }),
    };
    const [granted] = await this.#acknowledged<readonly number[]>(`SUBSCRIBE ${filter}`, (done) =>
      this.#client.subscribe(filter, options, (error, _grants, packet) => {
        // A refusal comes as an error with the SUBACK, and is judged below.
        if (packet) done(undefined, codesOf(packet));
        else done(error ?? undefined);
      }),
    );
    if (granted === undefined || granted >= 128) throw subscribeError(granted ?? 128, filter);
    return granted;
  }

  /** MQTT 3.1.1: many filters in one packet. The results are QoS granted or refusals (128 and above). */
  subscribeMany(filters: ReadonlyMap<string, 0 | 1 | 2>): Promise<readonly number[]> {
    const wanted: Record<string, { qos: 0 | 1 | 2 }> = Object.create(null);
    for (const [filter, qos] of filters) wanted[filter] = { qos };
    return this.#acknowledged<readonly number[]>('SUBSCRIBE', (done) =>
      this.#client.subscribe(wanted, (error, _grants, packet) => {
        if (packet) done(undefined, codesOf(packet));
        else done(error ?? undefined);
      }),
    );
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.#acknowledged<true>(`UNSUBSCRIBE ${filter}`, (done) =>
      this.#client.unsubscribe(filter, (error) => done(error, true)),
    );
  }

  /** Tells the broker that a QoS 1 message is done with. */
  acknowledge(id: number): void {
    if (this.#end) return;
    this.#cork();
    writePuback(this.#client.stream, id);
  }

  /** Says DISCONNECT, so that the broker forgets the will, and closes; by force when that takes too long. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#end) return;
    this.#end = lost(this.#config.target);
    // Not end(true): mqtt.js ignores it while an end() is under way.
    const timer = setTimeout(() => this.#client.stream.destroy(), timerMs(deadlineMs));
    // mqtt.js's own end() waits for confirmations that may never come: what is still unconfirmed is taken away first.
    for (const id of Object.keys(this.#client.outgoing)) this.#client.removeOutgoingMessage(Number(id));
    this.#client.end(false);
    await this.#closed;
    clearTimeout(timer);
    this.#drain.fail(this.#end);
  }

  /** Ends the link at once, for this reason; the first one counts. */
  abandon(error: CommlibError): void {
    if (this.#end) return;
    this.#end = error;
    this.#client.end(true);
    this.#drain.fail(error);
    if (this.#open) this.#options.onEnd(this, error);
    else this.#opening?.reject(error);
  }

  /**
   * Before mqtt.js handles a PUBLISH. Of a QoS 1 message it is told that the QoS is 0, and leaves the acknowledgement to
   * us: its own waits for each handler before it reads on, and takes four writes.
   */
  #arrived(packet: IPublishPacket): void {
    if (packet.qos !== 1) return;
    packet.qos = 0;
    if (this.#options.manualAcknowledgement !== true && packet.messageId !== undefined)
      this.acknowledge(packet.messageId);
  }

  #confirmed(id: number, reasonCode: number): void {
    if (this.#end) return;
    const sent = this.#unconfirmed.take(id);
    if (sent === undefined) {
      // One of mqtt.js's own.
      if (reasonCode === NOBODY) this.#mandatory.get(id)?.();
      this.#mandatory.delete(id);
      return;
    }
    this.#ids.deallocate(id);
    const { message, confirm } = sent;
    if (reasonCode >= 128) confirm(publishError(reasonCode, message.topic));
    else if (reasonCode === NOBODY && message.mandatory) confirm(new NoReceiverError(message.topic));
    else confirm();
  }

  #refusal(error: Error, topic: string): CommlibError {
    const code = 'code' in error && typeof error.code === 'number' ? error.code : undefined;
    return code === undefined ? linkError(error, this.#config.target, true) : publishError(code, topic);
  }

  /**
   * On a busy link, what is written until {@link afterwards} goes to the network in one piece. On a quiet one nothing is
   * held back: a single call must not wait for the end of the turn.
   */
  #cork(): void {
    if (this.#turn++ === 0) {
      afterwards(() => {
        this.#busy = this.#turn > FEW;
        this.#turn = 0;
      });
    }
    if (this.#corked) return;
    this.#corked = true;
    const { stream } = this.#client;
    stream.cork();
    const flush = () => {
      this.#corked = false;
      stream.uncork();
    };
    if (this.#busy || this.#turn > FEW) afterwards(flush);
    else queueMicrotask(flush);
  }

  #acknowledged<T>(
    what: string,
    send: (done: (error: Error | undefined, result?: T) => void) => void,
  ): Promise<T> {
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.abandon(new ConnectionError('CONNECTION_LOST', `${this.#config.target}: no answer to ${what}`));
      }, ACK_TIMEOUT_MS);
      send((error, result) => {
        clearTimeout(timer);
        if (this.#end) reject(this.#end);
        else if (error || result === undefined) reject(linkError(error, this.#config.target, true));
        else resolve(result);
      });
    });
  }
}

function codesOf(packet: { readonly granted: readonly unknown[] }): number[] {
  return packet.granted.map((code) => (typeof code === 'number' ? code : 128));
}

function lost(target: string): ConnectionError {
  return new ConnectionError('CONNECTION_LOST', `${target}: the connection was lost`);
}
