/** Options of the bridge. */
import type { Node, NodeOptions, Transport } from '@commlib/core';
import type { Clock } from './clock.js';
import type { CommandHandlers } from './handlers.js';

/** Which parts are switched on, as Hummingbot's `mqtt_bridge` settings. All are by default. */
export interface BridgeGates {
  /** Take commands. */
  readonly commands?: boolean | undefined;
  /** Publish `events`. */
  readonly events?: boolean | undefined;
  /** Publish `notify`. */
  readonly notifier?: boolean | undefined;
  /** Publish `log`. */
  readonly logger?: boolean | undefined;
  /** Take external events. */
  readonly externalEvents?: boolean | undefined;
}

/**
 * The connection: a started node, which outlives the bridge; or how to make a transport, since a transport connects
 * once and a bridge may be started again.
 */
export type BridgeConnection =
  | { readonly node: Node; readonly transport?: undefined; readonly nodeOptions?: undefined }
  | {
      readonly transport: () => Transport;
      readonly node?: undefined;
      readonly nodeOptions?: Omit<NodeOptions, 'transport'> | undefined;
    };

/** Options of an {@link HbotBridge}. */
export type HbotBridgeOptions = BridgeConnection & {
  /** The bot's `instance_id`. */
  readonly id: string;
  /** Default `hbot`. */
  readonly namespace?: string | undefined;
  /** How dots in the id are written: `aiomqtt` (default) keeps them, `commlib` makes them slashes. */
  readonly dialect?: 'commlib' | 'aiomqtt' | undefined;
  readonly commands?: CommandHandlers | undefined;
  readonly gates?: BridgeGates | undefined;
  /** Milliseconds. Default 10 000. */
  readonly heartbeatMs?: number | undefined;
  /** A request without `data`: refused (bots up to 2.14), or executed with defaults (later). Default `refuse`. */
  readonly missingData?: 'refuse' | 'empty' | undefined;
  readonly clock?: Clock | undefined;
  /** Told what a handler threw (its caller got a 400) and what could not be published by the bridge itself. */
  readonly onError?: ((error: unknown) => void) | undefined;
};
