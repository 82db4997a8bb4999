/** The transport: one connection, supervised, and what goes over it. */
import {
  type Capabilities,
  type CommlibError,
  type ConnectOptions,
  DecodeError,
  has,
  type Inbound,
  type Inbox,
  type InboxOptions,
  type Intake,
  type ReplyTarget,
  type SendOptions,
  type ServeOptions,
  type SubscribeOptions,
  Supervisor,
  type Transport,
  type TransportStatus,
  UnsupportedError,
  within,
} from '@commlib/core';
import type { IPublishPacket } from 'mqtt';
import { capabilitiesOf } from './capabilities.js';
import { willOf } from './client-options.js';
import { connectLink, Negotiation } from './connect.js';
import { DurableSessions } from './durable.js';
import { toInbound } from './inbound.js';
import { inboxBase, MqttInbox } from './inbox.js';
import type { Link, LinkOptions } from './link.js';
import { checkFilterText, checkGroup, checkTopic, mqttNames } from './names.js';
import { type MqttConfig, type MqttOptions, resolveOptions } from './options.js';
import type { QoS } from './routes.js';
import { Sender } from './sender.js';
import { proveSharedSubscriptions } from './shared.js';
import { Subscriptions } from './subscriptions.js';
import { Takeover } from './takeover.js';

/**
 * A connection to an MQTT broker.
 *
 * @param url `mqtt://`, `mqtts://`, `ws://` or `wss://`, with host, optional port and optional `user:password@`. Browsers
 *   have WebSocket only.
 * @throws `UnsupportedError` for a URL of another kind, `InvalidNameError` for a will that cannot be sent.
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
  readonly #will: LinkOptions['will'];
  readonly #negotiation: Negotiation;
  readonly #takeover: Takeover;
  readonly #supervisor: Supervisor;
  readonly #subscriptions = new Subscriptions();
  readonly #sessions: DurableSessions;
  readonly #sender: Sender;
  /** The last link, ready or not. */
  #link: Link | undefined;
  #capabilities: Capabilities;
  /** On 3.1.1: whether the broker was found to have shared subscriptions; undefined until tried. */
  #sharedProven: boolean | undefined;

  constructor(config: MqttConfig) {
    this.#config = config;
    this.#will = willOf(config);
    this.#negotiation = new Negotiation(config.version);
    this.#takeover = new Takeover(config, config.clientId);
    this.#capabilities = capabilitiesOf(undefined, config, false);
    this.#supervisor = new Supervisor({
      target: config.target,
      open: (signal) => this.#open(signal),
      shutDown: (left) => this.#shutDown(left),
      onClosed: (error) => this.#closed(error),
      backoff: config.backoff,
    });
    this.#sender = new Sender(config, () => ({
      error: this.#supervisor.offline(),
      later: this.#supervisor.mayReturn,
    }));
    this.#sessions = new DurableSessions(config, (event) => this.#supervisor.report(event));
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  get status(): TransportStatus {
    return this.#supervisor.status;
  }

  connect(options: ConnectOptions): Promise<void> {
    return this.#supervisor.start(options);
  }

  publish(address: string, payload: Uint8Array, options?: SendOptions): Promise<void> {
    return this.#sender.publish(address, payload, options);
  }

  async subscribe(
    filter: string,
    options: SubscribeOptions,
    onMessage: (message: Inbound) => void,
  ): Promise<Intake> {
    checkFilterText(filter);
    const { group, delivery, start, native } = options;
    if (start !== undefined && start !== 'new') {
      throw new UnsupportedError(
        'reading from the past',
        'an MQTT broker keeps the last message of a topic at most',
      );
    }
    if (delivery === 'at-most-once') return this.#take(filter, group, native?.mqtt?.qos ?? 0, onMessage);
    if (group === undefined)
      throw new UnsupportedError('at-least-once', 'the subscription must name its group');
    checkGroup(group);
    if ((native?.mqtt?.qos ?? 1) !== 1) {
      throw new UnsupportedError('at-least-once', 'only with quality of service 1');
    }
    if (!this.#supervisor.mayReturn) throw this.#supervisor.offline();
    const alone = native?.mqtt?.shared === false;
    const shared = has(this.#capabilities.groups) && !alone;
    const { maxInFlight } = options;
    return this.#sessions.join(
      { filter, group, shared, alone, maxInFlight },
      this.#negotiation.version,
      (message) => {
        if (this.#fits(message.address, message.payload.length)) onMessage(message);
        else message.settle?.('reject');
      },
    );
  }

  async openInbox(options: InboxOptions, onReply: (message: Inbound) => void): Promise<Inbox> {
    const base = inboxBase(options.prefix);
    checkTopic(base);
    const qos = options.native?.mqtt?.qos ?? 1;
    const intake = await this.#takePackets(`${base}/+`, undefined, qos, (packet) =>
      onReply(toInbound(packet, packet.topic.slice(base.length + 1))),
    );
    return new MqttInbox((...request) => this.#sender.request(...request), base, intake);
  }

  async serve(
    address: string,
    options: ServeOptions,
    onRequest: (request: Inbound) => void,
  ): Promise<Intake> {
    checkTopic(address);
    if (options.mode === 'exclusive') {
      throw new UnsupportedError(
        'exclusive services',
        'MQTT gives a request to every service, or to one of a group',
      );
    }
    const group = options.mode === 'compete' ? (options.group ?? address.replaceAll('/', '.')) : undefined;
    return this.#take(address, group, options.native?.mqtt?.qos ?? 1, onRequest);
  }

  respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    return this.#sender.respond(request, target, payload);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#supervisor.close(options);
  }

  async #open(signal: AbortSignal): Promise<void> {
    await this.#takeover.wait(signal);
    signal.throwIfAborted();
    this.#link?.abandon(this.#supervisor.offline());
    const options = {
      clientId: this.#config.clientId,
      will: this.#will,
      onMessage: (link: Link, packet: IPublishPacket) => this.#subscriptions.route(link, packet),
      onEnd: (link: Link, error: CommlibError) => this.#lost(link, error),
    };
    const link = await connectLink(this.#config, this.#negotiation, signal, options, async (link) => {
      this.#link = link;
      if (this.#config.probeSharedSubscriptions && link.version === 4) {
        this.#sharedProven ??= await proveSharedSubscriptions(link, this.#subscriptions);
      }
      await this.#subscriptions.restore(link);
    });
    this.#capabilities = capabilitiesOf(link, this.#config, this.#sharedProven === true);
    this.#takeover.opened();
    this.#sender.attach(link);
  }

  #lost(link: Link, error: CommlibError): void {
    if (link !== this.#link) return;
    const judged = this.#takeover.judge(error);
    this.#subscriptions.detach();
    this.#sender.detach(judged);
    this.#supervisor.lost(judged);
  }

  #take(
    filter: string,
    group: string | undefined,
    qos: QoS,
    on: (message: Inbound) => void,
  ): Promise<Intake> {
    return this.#takePackets(filter, group, qos, (packet) => on(toInbound(packet)));
  }

  async #takePackets(
    filter: string,
    group: string | undefined,
    qos: QoS,
    on: (packet: IPublishPacket) => void,
  ): Promise<Intake> {
    if (group !== undefined) {
      checkGroup(group);
      const { groups } = this.#capabilities;
      if (!has(groups)) throw new UnsupportedError('groups', groups.missing);
    }
    this.#supervisor.throwIfEnding();
    let open = true;
    const leave = await this.#subscriptions.join(filter, group, qos, (packet) => {
      if (open && this.#fits(packet.topic, packet.length ?? 0)) on(packet);
    });
    return {
      close: () => {
        open = false;
        return leave();
      },
    };
  }

  /** On 3.1.1 the broker cannot be told what is too large. */
  #fits(address: string, size: number): boolean {
    if (size <= this.#config.maxPacketBytes) return true;
    const reason = `a message of ${size} bytes, above maxPacketBytes (${this.#config.maxPacketBytes})`;
    this.#supervisor.dropped(address, new DecodeError('TOO_LARGE', reason));
    return false;
  }

  #closed(error: CommlibError): void {
    this.#subscriptions.fail(error);
    this.#sender.fail(error);
    this.#link?.abandon(error);
    void this.#sessions.end(0);
  }

  async #shutDown(left: () => number): Promise<void> {
    const { state } = this.status;
    this.#sender.stop();
    if (state === 'ready' || state === 'reconnecting') await within(left(), this.#sender.flushed());
    this.#subscriptions.fail(this.#supervisor.offline());
    await Promise.all([
      this.#sessions.end(left()),
      state === 'ready' ? this.#link?.close(left()) : undefined,
    ]);
  }
}
