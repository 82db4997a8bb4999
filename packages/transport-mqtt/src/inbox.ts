/**
 * The reply inbox: one standing wildcard subscription, one topic below it per call.
 * commlib-py subscribes anew for each call, without waiting for the broker to confirm; answers get lost that way.
 */
import type { Inbox, ReplyTarget, SendOptions } from '@commlib/core';
import { randomHex } from './options.js';

/** What an inbox needs of its transport. */
export interface InboxHost {
  request(address: string, payload: Uint8Array, options: SendOptions | undefined): Promise<void>;
}

/** Where the answers go: `rpc-<32 hex digits>`, below the prefix if there is one, without dots. */
export function inboxBase(prefix: string | undefined): string {
  const own = `rpc-${randomHex(16)}`;
  if (prefix === undefined || prefix === '') return own;
  return `${prefix.replaceAll('.', '/').replace(/\/+$/, '')}/${own}`;
}

export class MqttInbox implements Inbox {
  readonly #host: InboxHost;
  readonly #base: string;
  readonly #leave: () => Promise<void>;
  #calls = 0;

  constructor(host: InboxHost, base: string, leave: () => Promise<void>) {
    this.#host = host;
    this.#base = base;
    this.#leave = leave;
  }

  claim(): { readonly replyTo: string; readonly correlationId: string } {
    const correlationId = String(++this.#calls);
    return { replyTo: `${this.#base}/${correlationId}`, correlationId };
  }

  send(address: string, payload: Uint8Array, _target: ReplyTarget, options?: SendOptions): Promise<void> {
    return this.#host.request(address, payload, options);
  }

  release(): void {
    // Nothing is kept per call: an answer that comes later is told by its number.
  }

  close(): Promise<void> {
    return this.#leave();
  }
}
