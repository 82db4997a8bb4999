/** `commlib rpcc`: calls a procedure once and prints the answer. */
import { anything, CommlibError, rpc } from '@commlib/core';
import { RefusedError } from '../terminal/exit-codes.js';
import { printable, toJson } from '../terminal/text.js';
import type { Context } from './context.js';
import { addressName, parseData, type UriOptions } from './data.js';

/** How long an answer may take, unless told otherwise. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** Options of `rpcc`. */
export interface CallOptions extends UriOptions {
  readonly pretty?: boolean | undefined;
}

/** Checks what was typed before anything is connected. */
export function planCall(uri: string, text: string, options: CallOptions) {
  const contract = rpc(addressName(uri, options), { request: anything, response: anything });
  return { uri, contract, data: parseData(text, 'DATA') };
}

/**
 * Prints the answer on one line of JSON.
 *
 * @throws {@link RefusedError} after printing, when the answer has a `status` of 400 or more; `TimeoutError` when nobody
 *   answered; `RemoteError` when the service failed.
 */
export async function call(
  { node, io, settings, where }: Context,
  { uri, contract, data }: ReturnType<typeof planCall>,
  { pretty }: CallOptions,
): Promise<void> {
  const timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  let answer: unknown;
  try {
    answer = await node.client(contract).call(data, { timeoutMs, signal: io.signal });
  } catch (error) {
    if (!CommlibError.is(error, 'TIMEOUT')) throw error;
    throw new CommlibError(
      'TIMEOUT',
      `no answer from ${uri} at ${where} within ${timeoutMs / 1000} s: nobody serves it, it takes longer (--timeout), or the broker does not let the request or the answer through (--inbox-prefix)`,
      { cause: error },
    );
  }
  const line = toJson(answer);
  io.out.write(
    `${io.out.isTerminal ? printable(pretty ? indent(line) : line) : pretty ? indent(line) : line}\n`,
  );
  const status = statusOf(answer);
  if (status !== undefined && status >= 400) {
    const said = messageIn(answer);
    throw new RefusedError(`the answer of ${uri} has status ${status}${said ? `: ${said}` : ''}`);
  }
}

function indent(line: string): string {
  return JSON.stringify(JSON.parse(line), null, 2);
}

function statusOf(answer: unknown): number | undefined {
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) return undefined;
  return typeof answer.status === 'number' ? answer.status : undefined;
}

function messageIn(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('msg' in answer)) return undefined;
  return typeof answer.msg === 'string' ? answer.msg : undefined;
}
