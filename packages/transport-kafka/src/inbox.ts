/**
 * The reply inbox: one topic per client for all its calls, as commlib-py 0.13.2 has it; which call an answer is for stands in
 * its envelope (`header.correlation_id`).
 */
import { randomUUID } from 'node:crypto';
import { type Inbox, type ReplyTarget, randomHex, type SendOptions } from '@commlib/core';

/** Answers nobody waits for any more need not be kept; a minute is more than a client that reconnects takes. */
export const INBOX_TOPIC_CONFIG: Readonly<Record<string, string>> = { 'retention.ms': '600000' };

/** `rpc-reply-<32 hex digits>` (`transports/kafka.py` of 0.13.2), behind the prefix if there is one. */
export function inboxTopic(prefix: string | undefined): string {
  const own = `rpc-reply-${randomHex()}`;
  if (prefix === undefined || prefix === '') return own;
  return `${prefix.replaceAll('/', '.').replace(/\.+$/, '')}.${own}`;
}

type SendRequest = (address: string, payload: Uint8Array, options: SendOptions | undefined) => Promise<void>;

export class KafkaInbox implements Inbox {
  readonly #request: SendRequest;
  readonly #topic: string;
  readonly #close: () => Promise<void>;

  constructor(request: SendRequest, topic: string, close: () => Promise<void>) {
    this.#request = request;
    this.#topic = topic;
    this.#close = close;
  }

  claim(): { readonly replyTo: string; readonly correlationId: string } {
    return { replyTo: this.#topic, correlationId: randomUUID() };
  }

  send(address: string, payload: Uint8Array, _target: ReplyTarget, options?: SendOptions): Promise<void> {
    return this.#request(address, payload, options);
  }

  release(): void {
    // Nothing is kept per call.
  }

  close(): Promise<void> {
    return this.#close();
  }
}
