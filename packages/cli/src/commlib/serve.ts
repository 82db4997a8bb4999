/** `commlib rpcs`: serves a procedure that gives back what it was sent, or always the same. */
import { anything, rpc } from '@commlib/core';
import { stopped } from '../terminal/io.js';
import type { Context } from './context.js';
import { addressName, parseData, type UriOptions } from './data.js';
import { type ShowOptions, shower } from './show.js';

/** Options of `rpcs`. */
export interface ServeOptions extends UriOptions, ShowOptions {
  readonly reply?: string | undefined;
  readonly count?: number | undefined;
}

/** Checks what was typed before anything is connected. */
export function planServe(uri: string, options: ServeOptions) {
  const contract = rpc(addressName(uri, options), { request: anything, response: anything });
  return {
    contract,
    reply: options.reply === undefined ? undefined : { data: parseData(options.reply, '--reply') },
  };
}

/** Serves until the count is reached or the process is told to stop; shows each request. */
export async function serve(
  { node, io, note, where }: Context,
  { contract, reply }: ReturnType<typeof planServe>,
  options: ServeOptions,
): Promise<void> {
  const show = shower(io, options);
  const { count } = options;
  let served = 0;
  let reached = () => {};
  const enough = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const service = await node.serve(contract, (data, { address }) => {
    show({ topic: address, data });
    served++;
    if (count !== undefined && served >= count) reached();
    return reply ? reply.data : data;
  });
  note(`serving ${service.address} at ${where}${count === undefined ? ' (Ctrl-C ends)' : ''}`);
  await Promise.race([enough, stopped(io.signal)]);
  if (count !== undefined && served < count) io.signal.throwIfAborted();
}
