/** The events a bot forwards: a union discriminated by `type`, in which nothing is ever dropped. */
import type { Issue } from '@commlib/core';
import * as z from 'zod';
import { finite } from '../wire.js';
import {
  buyOrderCompleted,
  buyOrderCreated,
  fundingPaymentCompleted,
  orderCancelled,
  orderExpired,
  orderFailure,
  orderFilled,
  sellOrderCompleted,
  sellOrderCreated,
} from './orders.js';
import {
  rangePositionClosed,
  rangePositionFeeCollected,
  rangePositionLiquidityAdded,
  rangePositionLiquidityRemoved,
  rangePositionUpdate,
  rangePositionUpdateFailure,
} from './range-positions.js';

/** Every event type of Hummingbot 1.12 to 2.18. */
export const knownEvent = z.discriminatedUnion('type', [
  buyOrderCreated,
  sellOrderCreated,
  buyOrderCompleted,
  sellOrderCompleted,
  orderFilled,
  orderCancelled,
  orderExpired,
  orderFailure,
  fundingPaymentCompleted,
  rangePositionLiquidityAdded,
  rangePositionLiquidityRemoved,
  rangePositionUpdateFailure,
  rangePositionUpdate,
  rangePositionFeeCollected,
  rangePositionClosed,
]);

/** An event whose type and fields are known. */
export type KnownEvent = z.output<typeof knownEvent>;
/** The `type`s of known events. */
export type KnownEventType = KnownEvent['type'];
/** The event of one type: `EventOf<'OrderFilled'>`. */
export type EventOf<T extends KnownEventType> = Extract<KnownEvent, { type: T }>;

/**
 * An event of a type that this version does not know, or of a known type with unexpected fields.
 * Its `type` is the word `'Unknown'` (Hummingbot's own for events it cannot name), so that `case 'OrderFilled':`
 * never sees a malformed fill; what the bot wrote is `wireType`.
 */
export interface UnknownEvent {
  readonly type: 'Unknown';
  /** The type as the bot wrote it; `''` when there was none. */
  readonly wireType: string;
  /** Seconds; -1 when there was none. */
  readonly timestamp: number;
  /** The event's `data`, or the whole message when it was no event at all. */
  readonly data: unknown;
  /** What was unexpected; empty when only the type is unknown. */
  readonly issues: readonly Issue[];
}

/** What arrives on `events`. `switch (event.type)` narrows it, and `default`/`'Unknown'` is the rest. */
export type HbotEvent = KnownEvent | UnknownEvent;

/** What may be published on `events`: a known event, or any other with a type of its own. */
export interface EventInput {
  readonly timestamp: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const KNOWN = new Set<string>(knownEvent.options.flatMap((option) => [...option.shape.type.values]));

/**
 * Reads one event. Never throws.
 *
 * @example
 * ```ts
 * const event = readEvent({ timestamp: 1700000000, type: 'OrderExpired', data: { order_id: 'OID1' } });
 * if (event.type === 'OrderExpired') console.log(event.data.order_id);
 * ```
 */
export function readEvent(message: unknown): HbotEvent {
  const parsed = knownEvent.safeParse(message);
  if (parsed.success) return parsed.data;
  const fields: Partial<Record<string, unknown>> =
    typeof message === 'object' && message !== null && !Array.isArray(message) ? { ...message } : {};
  const wireType = typeof fields.type === 'string' ? fields.type : '';
  const timestamp = finite.safeParse(fields.timestamp);
  const unexpected = wireType === '' || KNOWN.has(wireType);
  return {
    type: 'Unknown',
    wireType,
    timestamp: timestamp.success ? timestamp.data : -1,
    data: 'data' in fields ? fields.data : message,
    issues: unexpected
      ? parsed.error.issues.map((issue) => ({
          path: issue.path.map(String).join('.'),
          message: issue.message,
        }))
      : [],
  };
}

/** Schema of the `events` topic: takes anything, gives {@link HbotEvent}. */
export const event = z.custom<EventInput>(() => true).transform((message): HbotEvent => readEvent(message));

/** True for events whose type and fields are known. */
export function isKnownEvent(candidate: HbotEvent): candidate is KnownEvent {
  return candidate.type !== 'Unknown';
}
