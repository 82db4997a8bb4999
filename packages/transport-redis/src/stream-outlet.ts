/** At-least-once messages as entries of streams: XADD, many of them in one piece, confirmed one by one. */
import type { CommlibError, Headers, Outlet } from '@commlib/core';
import { commandError } from './errors.js';
import type { Link } from './link.js';
import type { RedisConfig } from './options.js';

/** The field with the payload; a header `h` is the field `h:h`. */
export const PAYLOAD_FIELD = 'payload';
export const HEADER_PREFIX = 'h:';
/** Unconfirmed entries at once: they only take memory here, Redis takes them as they come. */
const WINDOW = 4_096;

/** A message for a stream. */
export interface Appended {
  readonly address: string;
  readonly payload: Uint8Array;
  readonly headers: Headers | undefined;
  readonly maxLength: number | undefined;
}

/** The way into the streams of a link. */
export function streamOutlet(link: Link, config: RedisConfig): Outlet<Appended> {
  return {
    window: WINDOW,
    send: (item, confirm) => append(link, config, item, confirm),
    get congested() {
      return link.alive && link.commands().congested;
    },
    drained: () => (link.alive ? link.commands().drained() : Promise.resolve()),
  };
}

function append(
  link: Link,
  config: RedisConfig,
  { address, payload, headers, maxLength = config.maxLength }: Appended,
  confirm: (error?: CommlibError) => void,
): void {
  const key = `${config.streamPrefix}${address}`;
  const args: (string | number)[] = [key];
  if (maxLength !== undefined) args.push('MAXLEN', '~', maxLength);
  args.push('*');
  if (headers)
    for (const name of Object.keys(headers)) args.push(`${HEADER_PREFIX}${name}`, String(headers[name]));
  args.push(PAYLOAD_FIELD);
  // After a loss the outbox sends it again, or tells.
  if (!link.alive) return;
  const connection = link.commands(key);
  const failed = (error: unknown) => {
    if (connection.alive) confirm(commandError(error, `message to ${address}`));
  };
  const { waitAof } = config;
  if (waitAof === undefined) return connection.sendPayload('xadd', args, payload, () => confirm(), failed);
  connection.sendPayload('xadd', args, payload, () => {}, failed);
  connection.send(
    'waitaof',
    [1, waitAof.replicas, waitAof.timeoutMs],
    (reply) => {
      const [here, there] = Array.isArray(reply) ? reply.map(Number) : [];
      if ((here ?? 0) >= 1 && (there ?? 0) >= waitAof.replicas) confirm();
      else confirm(commandError(new Error('not on disk in time'), `message to ${address}`));
    },
    failed,
  );
}
