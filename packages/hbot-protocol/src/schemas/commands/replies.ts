/** What every reply of a bot has. */
import * as z from 'zod';
import { finite, open } from '../wire.js';

/** 200: done, or at least begun. 400: refused or failed, and `msg` says why. Bots answer nothing else. */
export const statusCode = finite;

/** `""` on success, except where a command's answer is its text (`status`). */
export const message = z
  .string()
  .nullish()
  .transform((text) => text ?? '');

/** `{"status":200,"msg":""}` */
export const plainReply = open({ status: statusCode, msg: message });
