/** Everything that goes out: published messages, requests, answers. */
import {
  AbortedError,
  abortable,
  type CommlibError,
  type Inbound,
  Outbox,
  type Outlet,
  type ReplyTarget,
  type SendOptions,
} from '@commlib/core';
import type { IClientPublishOptions } from 'mqtt';
import { asBuffer } from './bytes.js';
import { toCorrelationData } from './inbound.js';
import type { Confirmable, Link } from './link.js';
import { checkTopic, replyTopic } from './names.js';
import type { MqttConfig } from './options.js';
import { PLAIN, publishOptions, tooLarge } from './sending.js';

export class Sender {
  readonly #config: MqttConfig;
  readonly #outbox: Outbox<Confirmable>;
  /** Why nothing can be sent now; `later`: whether it may be kept for a reconnect. */
  readonly #offline: () => { readonly error: CommlibError; readonly later: boolean };
  /** The link while it is ready. */
  #link: Link | undefined;
  /** The one before, for what the broker said it can do. */
  #known: Link | undefined;
  #stopped = false;

  constructor(config: MqttConfig, offline: () => { readonly error: CommlibError; readonly later: boolean }) {
    this.#config = config;
    this.#outbox = new Outbox({ limit: config.maxBuffered, describe: ({ topic }) => `message to ${topic}` });
    this.#offline = offline;
  }

  attach(link: Link): void {
    if (!this.#stopped) this.#link = link;
    this.#known = link;
    this.#outbox.attach(outletOf(link));
  }

  detach(error: CommlibError): void {
    this.#link = undefined;
    this.#outbox.detach(error);
  }

  /** Takes no more; what was taken still goes out. */
  stop(): void {
    this.#stopped = true;
    this.#link = undefined;
  }

  fail(error: CommlibError): void {
    this.#link = undefined;
    this.#outbox.fail(error);
  }

  /** Resolves when nothing is unconfirmed. */
  flushed(): Promise<void> {
    return this.#outbox.idle();
  }

  publish(address: string, payload: Uint8Array, options: SendOptions | undefined): Promise<void> {
    try {
      checkTopic(address);
      const link = this.#link;
      if (options !== undefined) return this.#publish(link, address, payload, options);
      if (link === undefined) throw this.#offline().error;
      const refused = tooLarge(link, address, payload);
      return refused ? Promise.reject(refused) : link.send(address, payload, PLAIN);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A request: never kept for later, at least once on its way. */
  request(address: string, payload: Uint8Array, options: SendOptions | undefined): Promise<void> {
    try {
      checkTopic(address);
      const link = this.#ready();
      const refused = tooLarge(link, address, payload);
      if (refused) throw refused;
      const qos = Math.min(options?.native?.mqtt?.qos ?? 1, link.limits.maximumQoS);
      if (qos === 0) return link.send(address, payload, PLAIN);
      const packet: IClientPublishOptions = qos === 1 ? CONFIRMED : { qos: 2, retain: false };
      return this.#outbox.add({ topic: address, payload, options: packet, mandatory: true }, false);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** An answer: as a request. */
  respond(request: Inbound, target: ReplyTarget, payload: Uint8Array): Promise<void> {
    try {
      const topic = replyTopic(target.replyTo);
      const link = this.#ready();
      // Only a request that named its reply topic the MQTT 5 way expects its correlation data back.
      const native = link.version === 5 && request.replyTo !== undefined ? target.correlationId : undefined;
      const properties =
        native === undefined ? undefined : { correlationData: asBuffer(toCorrelationData(native)) };
      const refused = tooLarge(link, topic, payload, properties);
      if (refused) throw refused;
      if (link.limits.maximumQoS === 0) return link.send(topic, payload, { ...PLAIN, properties });
      const packet = properties ? { ...CONFIRMED, properties } : CONFIRMED;
      return this.#outbox.add({ topic, payload, options: packet, mandatory: false }, false);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publish(
    link: Link | undefined,
    address: string,
    payload: Uint8Array,
    options: SendOptions,
  ): Promise<void> {
    const known = link ?? this.#known;
    const packet = publishOptions(options, known, this.#config);
    const keep = options.delivery === 'at-least-once';
    if (link === undefined) {
      const { error, later } = this.#offline();
      if (!keep || !later) throw error;
    }
    const refused = known && tooLarge(known, address, payload, packet.properties);
    if (refused) throw refused;
    const { signal, mandatory = false } = options;
    const what = `publishing to ${address}`;
    if (signal?.aborted) throw new AbortedError(what, signal.reason);
    const sent =
      packet.qos === 0 && link
        ? link.send(address, payload, packet)
        : this.#outbox.add({ topic: address, payload, options: packet, mandatory }, keep);
    return abortable(sent, signal, what);
  }

  #ready(): Link {
    if (this.#link === undefined) throw this.#offline().error;
    return this.#link;
  }
}

const CONFIRMED = { qos: 1, retain: false } as const;

/**
 * MQTT 3.1.1 has no window for QoS 2, and yet a Mosquitto with its defaults ends the connection at the 21st message under
 * way (`max_inflight_messages`).
 */
const QOS2_WINDOW_OF_3 = 10;
/** Identifiers are shared with SUBSCRIBE and UNSUBSCRIBE: some are left to them. */
const MAX_WINDOW = 65_000;

/** The way out over one link: no more under way than the broker allows. mqtt.js's own store is not bounded. */
function outletOf(link: Link): Outlet<Confirmable> {
  const window = Math.min(link.limits.receiveMaximum, MAX_WINDOW);
  const qos2Window = link.version === 5 ? window : QOS2_WINDOW_OF_3;
  let qos2Sent = 0;
  return {
    window,
    get congested() {
      return link.congested;
    },
    drained: () => link.drained(),
    admits: ({ options }) => options.qos !== 2 || qos2Sent < qos2Window,
    send(message, confirm) {
      if (message.options.qos !== 2) return link.sendConfirmed(message, confirm);
      qos2Sent++;
      link.sendConfirmed(message, (error) => {
        qos2Sent--;
        confirm(error);
      });
    },
  };
}
