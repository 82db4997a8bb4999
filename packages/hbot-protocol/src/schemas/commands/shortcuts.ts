/** `command_shortcuts`: the user's own commands, by name. Bots up to 2.6.1 only; later ones never answer. */
import * as z from 'zod';
import { open } from '../wire.js';
import { message, statusCode } from './replies.js';

/** Each item is a shortcut's name and its arguments. */
export const shortcutsRequest = z.strictObject({ params: z.array(z.array(z.string())).optional() });
export const shortcutsServed = z.object({ params: z.array(z.array(z.unknown())).nullable().default([]) });

/** One `success` per item. */
export const shortcutsReply = open({
  success: z
    .array(z.boolean())
    .nullish()
    .transform((success) => success ?? []),
  status: statusCode,
  msg: message,
});
