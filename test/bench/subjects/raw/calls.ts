/** What each of the clients by hand needs for calls: a table of those under way, one timer for all, commlib's envelope. */
import type { Receipt } from '../../order.js';
import { TIMEOUT_MS } from '../../subject.js';

interface Pending {
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
  readonly begun: number;
}

/** The calls under way, by an id of each. */
export class Calls {
  readonly #pending = new Map<string, Pending>();
  #last = 0;

  constructor() {
    const sweep = setInterval(() => {
      const now = Date.now();
      for (const [id, { begun, reject }] of this.#pending) {
        if (now - begun < TIMEOUT_MS) break;
        this.#pending.delete(id);
        reject(new Error(`no answer within ${TIMEOUT_MS} ms`));
      }
    }, 1000);
    sweep.unref();
  }

  /** `send` gets the id, and a function for the case that sending fails. */
  begin(send: (id: string, failed: (error: unknown) => void) => void): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      const id = String(++this.#last);
      this.#pending.set(id, { resolve, reject, begun: Date.now() });
      send(id, reject);
    });
  }

  end(id: string, receipt: Receipt): void {
    const call = this.#pending.get(id);
    if (call === undefined) return;
    this.#pending.delete(id);
    call.resolve(receipt);
  }
}

/** commlib's envelope, written as text: faster than building an object of it first. */
export function envelope(replyTo: string, data: unknown, correlationId?: string): string {
  const correlation = correlationId === undefined ? '' : `,"correlation_id":"${correlationId}"`;
  return `{"header":{"reply_to":"${replyTo}"${correlation},"timestamp":${Date.now()}000000,"content_type":"json","encoding":"utf8","agent":"commlib-ts"},"data":${JSON.stringify(data)}}`;
}

/** For what must not fail: the measurement ends with it. */
export function failed(error: unknown): void {
  if (error) throw error;
}
