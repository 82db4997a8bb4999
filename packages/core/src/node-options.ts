import type { Codec } from './codec/codec.js';
import type { HeartbeatOptions } from './heartbeat.js';
import type { EnvelopeOptions } from './rpc/envelope.js';
import type { NodeEvent } from './status.js';
import type { Transport } from './transport.js';

/** Options of a {@link Node}. */
export interface NodeOptions {
  /** The connection: `mqtt('mqtt://localhost')`, `memory()`, … A transport serves one node, once. */
  readonly transport: Transport;
  /** Default: 32 random hex digits. As in commlib-py, every `-` becomes `_`. */
  readonly name?: string | undefined;
  /** Publish heartbeats. Default false. */
  readonly heartbeat?: boolean | HeartbeatOptions | undefined;
  /** Default {@link json}. */
  readonly codec?: Codec | undefined;
  /** Where data is checked against schemas. Default both. Without it, whatever comes is handed on as if it had the type. */
  readonly validate?:
    | { readonly inbound?: boolean | undefined; readonly outbound?: boolean | undefined }
    | undefined;
  /** Addresses for answers begin with this: brokers that deny by default allow only certain topics. Default: the transport's. */
  readonly inboxPrefix?: string | undefined;
  /** Compress what is sent with zlib, as commlib-py's `compression` does. Compressed payloads are read either way. Default false. */
  readonly compress?: boolean | undefined;
  /** Larger payloads, also after decompression, are refused. Bytes. Default 16 MiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** How RPC envelopes are written, for those who compare bytes. */
  readonly envelope?: Partial<EnvelopeOptions> | undefined;
  /**
   * Called for every event, as {@link Node.events} gives them. What it throws does no harm: readers of
   * {@link Node.events} are told.
   */
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
}

/** How {@link Node.start} behaves. */
export interface StartOptions {
  /** Gives up after this long, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Reject at the first failed attempt. Default false: go on trying until the timeout. */
  readonly failFast?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}
