/** `balance/limit` and `balance/paper`: limits of what a strategy may use, and paper balances. */
import * as z from 'zod';
import { open } from '../wire.js';
import { lenientNumber } from './lenient.js';
import { message, statusCode } from './replies.js';

/** Request of `balance/limit`. A negative amount removes the limit. */
export const balanceLimitRequest = z.strictObject({
  exchange: z.string(),
  asset: z.string(),
  amount: z.number(),
});
export const balanceLimitServed = z.object({
  exchange: z.string(),
  asset: z.string(),
  amount: lenientNumber,
});

/** Request of `balance/paper`. */
export const balancePaperRequest = z.strictObject({ asset: z.string(), amount: z.number() });
export const balancePaperServed = z.object({ asset: z.string(), amount: lenientNumber });

/** `data` is `null` on success and `""` on an error: the work is done on another thread, after the reply. */
export const balanceReply = open({ status: statusCode, msg: message, data: z.string().nullish() });
