/** `config`: lists the bot's configuration, or changes it. */
import * as z from 'zod';
import { anyObject, open } from '../wire.js';
import { message, statusCode } from './replies.js';

/** One configuration key, a dotted path such as `mqtt_bridge.mqtt_autostart`, and its value. */
export const configParam = z.tuple([z.string(), z.unknown()]);

/** Request of `config`. No parameters: list. An item of another form gets no reply at all from a real bot. */
export const configRequest = z.strictObject({ params: z.array(configParam).optional() });

/** `null` is let through, because a real bot answers it: 400. */
export const configServed = z.object({ params: z.array(configParam).nullable().default([]) });

/**
 * `changes` are the parameters the bot *accepted*: whether a value was applied, no reply tells.
 * `config` (1.15.0 and later) is `{ client, strategy }` and holds secrets in clear text.
 */
export const configReply = open({
  changes: z
    .array(configParam)
    .nullish()
    .transform((changes) => changes ?? []),
  config: anyObject.nullish().transform((config) => config ?? {}),
  status: statusCode,
  msg: message,
});
