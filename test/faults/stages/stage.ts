/** What a fault test plays on: a broker of its own, two ways to it that can be disturbed, and transports made for it. */
import type { NativeOptions, Transport } from '@commlib/core';
import type { BrokerName } from '../../brokers/index.js';
import type { TcpProxy } from '../proxy.js';

/** Whose way to the broker is disturbed: each has a proxy of its own where the protocol allows it. */
export type Side = 'near' | 'far';

/** How a transport of a stage is made. */
export interface StageTransport {
  /** The way to the broker: through a proxy, or past both. */
  readonly side: Side | 'direct';
  /** The program's name at the broker: durable groups need one on MQTT. */
  readonly clientId?: string | undefined;
  /** It notices within about two seconds that the link passes nothing any more. Default false. */
  readonly watchful?: boolean | undefined;
  /** At-least-once messages without a confirmation. Default: the transport's own. */
  readonly maxBuffered?: number | undefined;
}

/** A broker with its proxies. */
export interface Stage extends AsyncDisposable {
  readonly version: string;
  /** `near` and `far` are the same proxy where the broker has only one address to tell its clients (Kafka). */
  readonly proxies: Readonly<Record<Side, TcpProxy>>;
  /** The broker's URL on that way. */
  url(side: StageTransport['side']): string;
  /** A new transport that comes back quickly after a loss. */
  transport(options: StageTransport): Transport;
  /** What this broker needs to be told to lose nothing. */
  readonly native?: NativeOptions | undefined;
  /**
   * A new durable group survives a SIGKILL of the broker only after this long (default 0): RabbitMQ confirms a quorum queue
   * before its register of queues is on disk, and nothing tells when it is.
   */
  readonly groupsSettleMs?: number | undefined;
  /** A subscription without a wildcard makes a topic, and a broker carries few of them (Kafka: each is a directory). */
  readonly topicsAreScarce?: boolean | undefined;
  /** Ends the broker by a signal. */
  halt(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again with what it kept. */
  restart(): Promise<void>;
}

/** What can be set up. */
export interface StageKind {
  /** `mqtt`, `amqp`, `redis`, `kafka`. */
  readonly protocol: string;
  readonly broker: BrokerName;
  /** `MQTT on Mosquitto`. */
  readonly name: string;
  start(): Promise<Stage>;
}

/** Short pauses, so that a test does not wait for them. */
export const QUICK = { minMs: 20, maxMs: 200 };
