/** `start`, `stop`, `import`, `status`: the life of a bot's strategy. */
import * as z from 'zod';
import { open } from '../wire.js';
import { lenientBoolean } from './lenient.js';
import { message, plainReply, statusCode } from './replies.js';

/** Answer at once (true), or when the work is done (false). A bot that is not told does the former. */
const asyncBackend = z.boolean().nullable().optional();
const servedAsync = lenientBoolean.nullable().default(true);

/** Request of `start`. `conf` is understood from 1.24.0 on; `v2_conf` is a field that future versions may have. */
export const startRequest = z.strictObject({
  log_level: z.string().nullable().optional(),
  script: z.string().nullable().optional(),
  conf: z.string().nullable().optional(),
  v2_conf: z.string().nullable().optional(),
  is_quickstart: z.boolean().nullable().optional(),
  async_backend: asyncBackend,
});

export const startServed = z.object({
  log_level: z.string().nullable().default(null),
  script: z.string().nullable().default(null),
  conf: z.string().nullable().default(null),
  v2_conf: z.string().nullable().default(null),
  is_quickstart: lenientBoolean.nullable().default(false),
  async_backend: servedAsync,
});

export const startReply = plainReply;

/** Request of `stop`. A bot heeds `skip_order_cancellation` only together with `async_backend: true`. */
export const stopRequest = z.strictObject({
  skip_order_cancellation: z.boolean().nullable().optional(),
  async_backend: asyncBackend,
});

export const stopServed = z.object({
  skip_order_cancellation: lenientBoolean.nullable().default(false),
  async_backend: servedAsync,
});

export const stopReply = plainReply;

/** Request of `import`: the bare name of a file in the bot's `conf/strategies`, without `.yml`. */
export const importRequest = z.strictObject({ strategy: z.string() });
export const importServed = z.object({ strategy: z.string() });
export const importReply = plainReply;

export const statusRequest = z.strictObject({ async_backend: asyncBackend });
export const statusServed = z.object({ async_backend: servedAsync });

/** The text is in `msg`; `data` stays `""` on every release. */
export const statusReply = open({ status: statusCode, msg: message, data: z.unknown().optional() });
