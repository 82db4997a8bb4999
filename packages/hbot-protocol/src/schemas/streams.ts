/** What a bot publishes besides events: bare objects, no envelope, never retained, QoS 0. */
import * as z from 'zod';
import { anyObject, exactInteger, finite, open, word } from './wire.js';

/**
 * `hb`, every 10 s, the first at connect. `ts` is in **microseconds** and half a second ahead:
 * `int((time() + 0.5) * 1e6)`. A `bigint` should a bot ever write more than 2^53.
 */
export const heartbeat = open({ ts: exactInteger });
/** See {@link heartbeat}. */
export type Heartbeat = z.output<typeof heartbeat>;

/** When the bot sent a heartbeat, by its own clock (the half second taken off). */
export function heartbeatTime(beat: Heartbeat): Date {
  const ts = Number(beat.ts);
  // commlib-py 0.13 counts nanoseconds; no bot does so far. 1e17 µs is the year 5138.
  return new Date(ts > 1e17 ? ts / 1e6 : ts / 1e3 - 500);
}

/**
 * `notify`: text for the user. Every bot writes `seq` 0 and `timestamp` -1 (on the wire the string `"-1"`).
 * Silent on all bots since 2.4.0; headless ones write the same text to `log`.
 */
export const notification = open({ seq: finite.default(0), timestamp: finite.default(-1), msg: z.string() });
/** See {@link notification}. */
export type Notification = z.output<typeof notification>;

/** `status_updates` (1.17.0 and later): `type` "availability", `msg` "online" or "offline" are all that is ever sent. */
export const statusUpdate = open({
  /** Milliseconds since 1970. */
  timestamp: finite,
  type: word('availability', 'hbapp'),
  msg: word('online', 'offline'),
});
/** See {@link statusUpdate}. */
export type StatusUpdate = z.output<typeof statusUpdate>;

/** `log`: a log record; `msg` ends with the traceback, if there is one. */
export const logRecord = open({
  /** Seconds since 1970, with a fraction. */
  timestamp: finite,
  msg: z.string(),
  /** Python's: 10 debug, 16 network, 20 info, 30 warning, 40 error, 50 critical. */
  level_no: finite,
  level_name: word('DEBUG', 'NETWORK', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'),
  logger_name: z.string(),
});
/** See {@link logRecord}. */
export type LogRecord = z.output<typeof logRecord>;

/** `external/event/<path>` as a bot reads it: what is missing gets the default. */
export const externalEvent = open({
  timestamp: finite.default(-1),
  sequence: finite.default(0),
  type: z.string().default('eevent'),
  data: anyObject.default({}),
});
/** An external event as handlers get it. */
export type ExternalEvent = z.output<typeof externalEvent>;
/** An external event as it is sent; every field may be left out. */
export type ExternalEventInput = z.input<typeof externalEvent>;

/**
 * `ML_SIGNALS`: what controllers of the kind `ai_livestream` (2.5.0 and later) read. The probabilities of a short, a
 * neutral and a long position.
 */
export const mlSignal = open({
  probabilities: z.tuple([z.number(), z.number(), z.number()]),
  /** A fraction of the price; the controller takes 0.01 when it is absent. */
  target_pct: z.number().optional(),
  timestamp: z.number().optional(),
});
/** See {@link mlSignal}. */
export type MLSignal = z.input<typeof mlSignal>;
