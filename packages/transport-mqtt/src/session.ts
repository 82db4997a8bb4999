/**
 * A durable group on one filter: a session of its own at the broker, on a connection of its own, under a client id that
 * stays the same. The broker collects while we are away, and gets its acknowledgement after the handler.
 *
 * One filter per session, since the broker sends what it collected as soon as the session is resumed: a second filter's
 * messages would come before anybody here asked for them.
 */
import {
  CommlibError,
  ConnectionError,
  Flow,
  type Inbound,
  type Intake,
  NotConnectedError,
  Supervisor,
  type TransportEvent,
  UnsupportedError,
} from '@commlib/core';
import type { IPublishPacket } from 'mqtt';
import { connectLink, Negotiation } from './connect.js';
import { toInbound } from './inbound.js';
import type { Link, LinkOptions } from './link.js';
import type { MqttConfig } from './options.js';
import { Takeover } from './takeover.js';

/** The first connection of a session, tried until the broker takes it. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Below this the broker would have to wait for each acknowledgement. */
const MIN_RECEIVE_MAXIMUM = 20;

/** What a session is for. */
export interface DurableKey {
  readonly filter: string;
  readonly group: string;
  /** The broker shares the messages of a group among sessions. */
  readonly shared: boolean;
  /** Not shared by the user's own wish: another session than the shared one, which may have collected for both. */
  readonly alone: boolean;
  readonly maxInFlight: number;
}

export interface DurableOptions extends DurableKey {
  readonly config: MqttConfig;
  readonly version: 5 | 4;
  readonly onEvent: (event: TransportEvent) => void;
}

export class DurableSession {
  readonly #options: DurableOptions;
  readonly #clientId: string;
  readonly #negotiation: Negotiation;
  readonly #takeover: Takeover;
  readonly #supervisor: Supervisor;
  /** Members here take turns. */
  readonly #members: Member[] = [];
  /** Members, and those that are leaving and still have messages. */
  readonly #present = new Set<Member>();
  #link: Link | undefined;
  #flow: Flow<IPublishPacket> | undefined;
  #started: Promise<void> | undefined;
  /** The broker took the subscription once: a refusal may pass, then. */
  #established = false;
  #forget = false;
  #closing: Promise<void> | undefined;

  constructor(options: DurableOptions) {
    this.#options = options;
    this.#clientId = durableClientId(options);
    this.#negotiation = new Negotiation(options.version);
    this.#takeover = new Takeover(options.config, this.#clientId);
    this.#supervisor = new Supervisor({
      target: options.config.target,
      open: (signal) => this.#open(signal),
      backoff: options.config.backoff,
    });
  }

  get ended(): boolean {
    return this.#supervisor.status.state === 'closed';
  }

  /** The last member is leaving: settles when it has. */
  get closing(): Promise<void> | undefined {
    return this.#closing;
  }

  /** Resolves when the broker holds the session and the subscription. */
  async join(onMessage: (message: Inbound) => void): Promise<Intake> {
    const member = new Member(onMessage);
    this.#members.push(member);
    this.#present.add(member);
    try {
      this.#started ??= this.#start();
      await this.#started;
    } catch (error) {
      this.#remove(member);
      this.#present.delete(member);
      throw error;
    }
    let leaving: Promise<void> | undefined;
    return {
      close: (options) => {
        leaving ??= this.#leave(member, options?.forget === true);
        return leaving;
      },
    };
  }

  /** Ends the connection and leaves the session to the broker; what is unsettled will be delivered again. */
  async end(deadlineMs: number): Promise<void> {
    this.#discard();
    const link = this.#link;
    this.#link = undefined;
    await link?.close(deadlineMs);
    await this.#supervisor.close({ deadlineMs: 0 });
  }

  #start(): Promise<void> {
    return this.#supervisor.start({
      timeoutMs: CONNECT_TIMEOUT_MS,
      failFast: false,
      onEvent: (event) => {
        if (event.type !== 'status' || !this.#established) return;
        const { status } = event;
        // Such a loss is not the node's: its other work goes on. It shall not go unsaid either.
        if (status.state === 'reconnecting' && status.attempt === 1) this.#say(status.error);
        if (status.state === 'closed' && status.error) this.#say(status.error);
      },
    });
  }

  #say(error: CommlibError): void {
    this.#options.onEvent({ type: 'dropped', address: this.#options.filter, error });
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { config, filter, group, shared, maxInFlight } = this.#options;
    await this.#takeover.wait(signal);
    const flow = new Flow<IPublishPacket>({
      maxInFlight,
      // MQTT-4.6.0-2.
      inOrder: true,
      deliver: (packet, attempt, settle) => this.#deliver(packet, attempt, settle),
    });
    this.#flow = flow;
    const options: Omit<LinkOptions, 'version'> = {
      clientId: this.#clientId,
      session: {
        expirySeconds: config.sessionExpirySeconds,
        receiveMaximum: Math.min(65_535, Math.max(maxInFlight, MIN_RECEIVE_MAXIMUM)),
      },
      manualAcknowledgement: true,
      onMessage: (link, packet) => {
        const id = packet.messageId;
        flow.arrived(packet, id === undefined ? undefined : () => link.acknowledge(id));
      },
      onEnd: (_link, error) => {
        this.#discard();
        this.#link = undefined;
        this.#supervisor.lost(this.#takeover.judge(error));
      },
    };
    this.#link = await connectLink(config, this.#negotiation, signal, options, async (link) => {
      // Retained messages once, not after every reconnect.
      const retainHandling = link.version === 5 && !shared ? 1 : undefined;
      const wire = shared ? `$share/${group}/${filter}` : filter;
      try {
        const granted = await link.subscribe({ filter: wire, qos: 1, retainHandling });
        if (granted === 0)
          throw new UnsupportedError(
            `at-least-once on ${filter}`,
            'the broker grants quality of service 0 only',
          );
      } catch (error) {
        link.throwIfEnded();
        throw this.#established ? error : refusedForGood(error);
      }
    });
    this.#established = true;
    this.#takeover.opened();
  }

  #deliver(packet: IPublishPacket, attempt: number, settle: NonNullable<Inbound['settle']>): void {
    const next = this.#members.shift();
    if (next === undefined) return;
    this.#members.push(next);
    const message = toInbound(packet);
    next.deliver({ ...message, redelivered: message.redelivered || attempt > 1, attempt, settle });
  }

  /** What was not acknowledged goes back to the broker, and whoever waited for it need not. */
  #discard(): void {
    this.#flow?.discard();
    for (const member of this.#present) member.discard();
  }

  #remove(member: Member): void {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
  }

  #leave(member: Member, forget: boolean): Promise<void> {
    this.#remove(member);
    this.#forget ||= forget;
    if (this.#members.length > 0) return this.#settled(member);
    this.#flow?.stop();
    const all = [...this.#present].map((one) => this.#settled(one));
    this.#closing = Promise.all(all).then(() => this.#close());
    return this.#closing;
  }

  async #settled(member: Member): Promise<void> {
    if (this.#link) await member.idle();
    this.#present.delete(member);
  }

  async #close(): Promise<void> {
    const { config, group } = this.#options;
    const online = this.#link !== undefined;
    await this.end(config.connectTimeoutMs);
    if (!this.#forget) return;
    if (!online) {
      throw new NotConnectedError(`not connected to ${config.target}: the group ${group} is still there`);
    }
    // A clean start under the same id makes the broker throw the session away, in both versions.
    const signal = AbortSignal.timeout(config.connectTimeoutMs);
    const clean = await connectLink(config, this.#negotiation, signal, {
      clientId: this.#clientId,
      onMessage: () => {},
      onEnd: () => {},
    });
    await clean.close(config.connectTimeoutMs);
  }
}

/** One subscriber of a session, and how many messages it has not settled. */
class Member {
  readonly #onMessage: (message: Inbound) => void;
  /** Of the current link: those of an earlier one count no more. */
  #unsettled = { count: 0 };
  #idle: (() => void)[] = [];

  constructor(onMessage: (message: Inbound) => void) {
    this.#onMessage = onMessage;
  }

  deliver(message: Inbound): void {
    const unsettled = this.#unsettled;
    let open = true;
    const tracked: Inbound = {
      ...message,
      settle: (outcome) => {
        if (!open) return;
        open = false;
        // First the acknowledgement: who waits for idle closes the connection next.
        message.settle?.(outcome);
        unsettled.count--;
        this.#reportIdle();
      },
    };
    unsettled.count++;
    this.#onMessage(tracked);
  }

  discard(): void {
    this.#unsettled = { count: 0 };
    this.#reportIdle();
  }

  idle(): Promise<void> {
    if (this.#unsettled.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #reportIdle(): void {
    if (this.#unsettled.count > 0) return;
    for (const done of this.#idle.splice(0)) done();
  }
}

/** A new subscription that the broker refuses will be refused again. */
function refusedForGood(error: unknown): CommlibError {
  const code = CommlibError.is(error, 'NOT_AUTHORIZED') ? 'NOT_AUTHORIZED' : 'PROTOCOL_REFUSED';
  const message = error instanceof Error ? error.message : String(error);
  return new ConnectionError(code, message, { cause: error, permanent: true });
}

/** The same for every start of the same program: from the client id if one was given, the group, and the filter. */
function durableClientId({ config, group, filter, alone }: DurableOptions): string {
  const own = config.stableClientId ? `${config.clientId}-` : '';
  return `${own}${group}-${fnv1a([own, group, filter, ...(alone ? ['alone'] : [])].join('\0'))
    .toString(16)
    .padStart(8, '0')}`;
}

/** FNV-1a, 32 bits: short, and the same everywhere. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
