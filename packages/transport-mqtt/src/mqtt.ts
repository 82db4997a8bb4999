/** The transport: one connection, supervised, and what goes over it. */
import {
  AbortedError,
  type Capabilities,
  ClosedError,
  CommlibError,
  type ConnectOptions,
  DecodeError,
  has,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  NotConnectedError,
  type ReplyTarget,
  type SendOptions,
  type ServeOptions,
  type SubscribeOptions,
  Supervisor,
  type Transport,
  type TransportEvent,
  type TransportStatus,
  toName,
  UnsupportedError,
} from '@commlib/core';
import type { IPublishPacket } from 'mqtt';
import { asBuffer } from './bytes.js';
import { capabilitiesOf } from './capabilities.js';
import { connectLink, Negotiation } from './connect.js';
import { toCorrelationData, toInbound } from './inbound.js';
import { inboxBase, MqttInbox } from './inbox.js';
import type { Link, LinkOptions } from './link.js';
import { checkFilterText, checkGroup, checkTopic, mqttNames, replyTopic } from './names.js';
import { type MqttConfig, type MqttOptions, resolveOptions } from './options.js';
import { Outbox } from './outbox.js';
import { PLAIN, publishOptions, tooLarge } from './sending.js';
import { type QoS, Subscriptions } from './subscriptions.js';

/**
 * A connection to an MQTT broker.
 *
 * @param url `mqtt://`, `mqtts://`, `ws://` or `wss://`, with host, optional port and optional `user:password@`. Browsers
 *   have WebSocket only.
 * @throws {@link UnsupportedError} for a URL of another kind.
 * @example
 * ```ts
 * const node = new Node({ transport: mqtt('mqtt://localhost:1883', { username: 'bot', password: 'secret' }) });
 * ```
 */
export function mqtt(url: string, options: MqttOptions = {}): Transport {
  return new MqttTransport(resolveOptions(url, options));
}

class MqttTransport implements Transport {
  readonly protocol = 'mqtt';
  readonly names = mqttNames;
  readonly #config: MqttConfig;
  readonly #supervisor: Supervisor;
  readonly #subscriptions = new Subscriptions();
  readonly #outbox: Outbox;
  /** The link while it is ready. */
  #link: Link | undefined;
  /** The last link, ready or not. */
  #latest: Link | undefined;
  #capabilities: Capabilities;
  readonly #negotiation: Negotiation;
  #onEvent: (event: TransportEvent) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(config: MqttConfig) {
    this.#config = config;
    this.#outbox = new Outbox(config.maxBuffered);
    this.#capabilities = capabilitiesOf(undefined, config);
    this.#negotiation = new Negotiation(config.version);
    willOf(config); // A will that cannot be sent is said now.
    this.#supervisor = new Supervisor({
      target: config.target,
      open: (signal) => this.#open(signal),
      backoff: config.backoff,
    });
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    this.#onEvent = options.onEvent;
    return this.#supervisor.start({ ...options, onEvent: (event) => this.#report(event) });
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    try {
      checkTopic(address);
      const link = this.#link;
      if (options === undefined) {
        if (link === undefined) return Promise.reject(this.#offline());
        const refused = tooLarge(link, address, payload);
        return refused ? Promise.reject(refused) : link.send(address, payload, PLAIN);
      }
      return this.#publish(link, address, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    checkFilterText(filter);
    if (options.start !== undefined && options.start !== 'new') {
      throw new UnsupportedError(
        'reading from the past',
        'an MQTT broker keeps the last message of a topic at most',
      );
    }
    if (options.delivery === 'at-least-once') throw new UnsupportedError('at-least-once', 'not yet');
    if (options.group !== undefined) this.#checkGroups(options.group);
    return this.#take(filter, options.group, options.native?.mqtt?.qos ?? 0, onMessage);
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const base = inboxBase(options.prefix);
    checkTopic(base);
    const leave = await this.#subscriptions.join(`${base}/+`, undefined, 1, (packet) => {
      if (this.#fits(packet)) onReply(toInbound(packet, packet.topic.slice(base.length + 1)));
    });
    return new MqttInbox({ request: (...args) => this.#request(...args) }, base, leave);
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    checkTopic(address);
    const group = options.mode === 'compete' ? (options.group ?? address.replaceAll('/', '.')) : undefined;
    if (group !== undefined) this.#checkGroups(group);
    return this.#take(address, group, options.native?.mqtt?.qos ?? 1, onRequest);
  }

  async respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    const topic = replyTopic(target.replyTo);
    const link = this.#ready();
    const refused = tooLarge(link, topic, payload);
    if (refused) throw refused;
    // Only a request that named its reply topic the MQTT 5 way expects its correlation data back.
    const native = link.version === 5 && request.replyTo !== undefined ? target.correlationId : undefined;
    const properties =
      native === undefined ? undefined : { correlationData: asBuffer(toCorrelationData(native)) };
    if (link.limits.maximumQoS === 0) return link.send(topic, payload, { ...PLAIN, properties });
    return this.#outbox.add(topic, payload, { qos: 1, retain: false, properties }, false);
  }

  close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#close(Date.now() + deadlineMs);
    return this.#closing;
  }

  async #open(signal: AbortSignal): Promise<void> {
    this.#latest?.abandon(this.#offline());
    const link = await connectLink(this.#config, this.#negotiation, signal, {
      clientId: this.#config.clientId,
      will: willOf(this.#config),
      onMessage: (link, packet) => this.#subscriptions.route(link, packet),
      onEnd: (link, error) => this.#lost(link, error),
    });
    this.#latest = link;
    const abort = () =>
      link.abandon(new NotConnectedError(`${this.#config.target}: connecting was interrupted`));
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#subscriptions.restore(link);
      signal.throwIfAborted();
    } catch (error) {
      this.#subscriptions.detach();
      abort();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    this.#capabilities = capabilitiesOf(link, this.#config);
    this.#link = link;
    this.#outbox.attach(link);
  }

  #lost(link: Link, error: CommlibError): void {
    if (link !== this.#latest) return;
    this.#link = undefined;
    this.#subscriptions.detach();
    this.#outbox.detach(error);
    this.#supervisor.lost(error);
  }

  #report(event: TransportEvent): void {
    // Closed by itself: an error that no further attempt would mend.
    if (event.type === 'status' && event.status.state === 'closed')
      this.#fail(this.#offline(event.status.error));
    this.#onEvent(event);
  }

  #publish(
    link: Link | undefined,
    address: string,
    payload: Uint8Array,
    options: SendOptions,
  ): Promise<void> {
    const known = link ?? this.#latest;
    const packet = publishOptions(options, known, this.#config);
    const keep = options.delivery === 'at-least-once';
    if (this.#closing || (link === undefined && !(keep && this.#mayReturn())))
      return Promise.reject(this.#offline());
    const refused = known && tooLarge(known, address, payload);
    if (refused) return Promise.reject(refused);
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(new AbortedError(`publishing to ${address}`, signal.reason));
    const sent =
      packet.qos === 0 && link
        ? link.send(address, payload, packet)
        : this.#outbox.add(address, payload, packet, keep);
    return signal ? abortable(sent, signal, `publishing to ${address}`) : sent;
  }

  #request(address: string, payload: Uint8Array, options: SendOptions | undefined): Promise<void> {
    try {
      checkTopic(address);
      const link = this.#ready();
      const refused = tooLarge(link, address, payload);
      if (refused) return Promise.reject(refused);
      const qos = options?.native?.mqtt?.qos ?? 1;
      if (qos === 0 || link.limits.maximumQoS === 0) return link.send(address, payload, PLAIN);
      return this.#outbox.add(address, payload, { qos, retain: false }, false);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #take(
    filter: string,
    group: string | undefined,
    qos: QoS,
    on: (message: Inbound) => void,
  ): Promise<Intake> {
    if (this.#closing) throw this.#offline();
    let open = true;
    const leave = await this.#subscriptions.join(filter, group, qos, (packet) => {
      if (open && this.#fits(packet)) on(toInbound(packet));
    });
    return {
      close: () => {
        open = false;
        return leave();
      },
    };
  }

  /** On 3.1.1 the broker cannot be told what is too large. */
  #fits(packet: IPublishPacket): boolean {
    const size = packet.length ?? 0;
    if (size <= this.#config.maxPacketBytes) return true;
    const reason = `a packet of ${size} bytes, above maxPacketBytes (${this.#config.maxPacketBytes})`;
    this.#drop(packet.topic, new DecodeError('TOO_LARGE', reason));
    return false;
  }

  #checkGroups(group: string): void {
    checkGroup(group);
    const { groups } = this.#capabilities;
    if (!has(groups)) throw new UnsupportedError('groups', groups.missing);
  }

  #ready(): Link {
    if (this.#link === undefined || this.#closing) throw this.#offline();
    return this.#link;
  }

  /** The connection is not there, but is worked at. */
  #mayReturn(): boolean {
    const { state } = this.status;
    return state === 'connecting' || state === 'reconnecting' || state === 'ready';
  }

  #offline(cause?: CommlibError): CommlibError {
    if (this.#closing || this.status.state === 'closed') {
      return new ClosedError(`the connection to ${this.#config.target}`, { cause });
    }
    return new NotConnectedError(`not connected to ${this.#config.target}`);
  }

  #drop(address: string, error: unknown): void {
    const known = CommlibError.is(error)
      ? error
      : new CommlibError('DROPPED', String(error), { cause: error });
    this.#onEvent({ type: 'dropped', address, error: known });
  }

  #fail(error: CommlibError): void {
    this.#subscriptions.fail(error);
    this.#outbox.fail(error);
  }

  async #close(end: number): Promise<void> {
    const left = () => Math.max(0, end - Date.now());
    if (this.#mayReturn()) await within(left(), this.#outbox.idle());
    this.#fail(this.#offline());
    const link = this.#link;
    this.#link = undefined;
    // The goodbye first: closing the supervisor interrupts whatever is under way.
    await link?.close(left());
    this.#supervisor.close();
    this.#latest?.abandon(this.#offline());
  }
}

function willOf({ will }: MqttConfig): LinkOptions['will'] {
  if (will === undefined) return undefined;
  const payload = typeof will.payload === 'string' ? will.payload : asBuffer(will.payload);
  return {
    topic: mqttNames.address(toName(will.topic)),
    payload,
    qos: will.qos ?? 0,
    retain: will.retain ?? false,
  };
}

/** Waits for the work or the time, whichever is over first. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** The work, or the signal's abort; the work goes on then, and nobody hears how it ends. */
function abortable(work: Promise<void>, signal: AbortSignal, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortedError(what, signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
