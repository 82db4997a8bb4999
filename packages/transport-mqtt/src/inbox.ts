/**
 * The reply inbox: one standing wildcard subscription, one topic below it per call.
 * commlib-py subscribes anew for each call, without waiting for the broker to confirm; answers get lost that way.
 */
import type { Inbox, Intake, ReplyTarget, SendOptions } from '@commlib/core';
import { randomHex } from './options.js';

/** Where the answers go: `rpc-<32 hex digits>`, below the prefix if there is one, without dots. */
export function inboxBase(prefix: string | undefined): string {
  const own = `rpc-${randomHex(16)}`;
  if (prefix === undefined || prefix === '') return own;
  return `${prefix.replaceAll('.', '/').replace(/\/+$/, '')}/${own}`;
}

type SendRequest = (address: string, payload: Uint8Array, options: SendOptions | undefined) => Promise<void>;

export class MqttInbox implements Inbox {
  readonly #request: SendRequest;
  readonly #base: string;
  readonly #intake: Intake;
  #calls = 0;

  constructor(request: SendRequest, base: string, intake: Intake) {
    this.#request = request;
    this.#base = base;
    this.#intake = intake;
  }

  claim(): { readonly replyTo: string; readonly correlationId: string } {
    const correlationId = String(++this.#calls);
    return { replyTo: `${this.#base}/${correlationId}`, correlationId };
  }

  send(address: string, payload: Uint8Array, _target: ReplyTarget, options?: SendOptions): Promise<void> {
    return this.#request(address, payload, options);
  }

  release(): void {
    // Nothing is kept per call: an answer that comes later is told by its number.
  }

  close(): Promise<void> {
    return this.#intake.close();
  }
}
