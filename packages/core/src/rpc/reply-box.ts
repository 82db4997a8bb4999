/** The one table of pending calls per connection and inbox prefix. */

import { after, type EndpointHost, plainPayload } from '../endpoints/host.js';
import { inTime } from '../endpoints/in-time.js';
import {
  AbortedError,
  type CommlibError,
  ConnectionError,
  DecodeError,
  RemoteError,
  TimeoutError,
} from '../errors.js';
import { PassingMap } from '../toolkit/passing-map.js';
import type { Inbound, Inbox, NativeOptions, ReplyTarget } from '../transport.js';
import type { Deadline } from '../util/deadlines.js';
import { onAbort } from '../util/on-abort.js';
import { readEnvelope } from './envelope.js';
import { readWireError } from './wire-error.js';

/** One call, before it is sent. */
export interface OutgoingCall {
  readonly address: string;
  readonly data: unknown;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly native: NativeOptions | undefined;
  /** The body is the data itself, and so is the answer's. */
  readonly raw: boolean;
}

interface Pending {
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly target: ReplyTarget;
  readonly address: string;
  readonly raw: boolean;
  deadline: Deadline | undefined;
  stopAbort: (() => void) | undefined;
}

/** Sends requests through one inbox and gives each answer to the call it belongs to. */
export class ReplyBox {
  readonly #host: EndpointHost;
  readonly #prefix: string | undefined;
  readonly #pending = new PassingMap<string, Pending>();
  #inbox: Inbox | undefined;
  #opening: Promise<Inbox> | undefined;
  #refuse: CommlibError | undefined;

  constructor(host: EndpointHost, prefix: string | undefined) {
    this.#host = host;
    this.#prefix = prefix;
  }

  /** Sends one request; resolves with the answer's data, not validated. */
  call(call: OutgoingCall): Promise<unknown> {
    if (this.#refuse) return Promise.reject(this.#refuse);
    if (this.#inbox) return this.#send(this.#inbox, call, call.timeoutMs);
    const { address, timeoutMs, signal } = call;
    const begun = performance.now();
    const patience = {
      timeoutMs,
      signal,
      missing: `no reply inbox for ${address}`,
      doing: `the call of ${address}`,
    };
    return inTime(this.#host, () => this.#open(), patience).then((inbox) =>
      this.#send(inbox, call, Math.max(0, timeoutMs - (performance.now() - begun))),
    );
  }

  /** Fails every call in flight. `forGood` refuses those to come, too. */
  fail(error: CommlibError, forGood: boolean): void {
    if (forGood) this.#refuse = error;
    for (const [id, pending] of [...this.#pending]) {
      this.#forget(id, pending);
      pending.reject(error);
    }
  }

  /** Opens the inbox, once; a failure is forgotten, so that the next call tries again. */
  #open(): Promise<Inbox> {
    this.#opening ??= this.#host.transport
      .openInbox({ prefix: this.#prefix }, (reply) => this.#receive(reply))
      .then(
        (inbox) => {
          this.#inbox = inbox;
          return inbox;
        },
        (error) => {
          this.#opening = undefined;
          throw error;
        },
      );
    return this.#opening;
  }

  /** `leftMs` is what remains of the call's time. */
  #send(inbox: Inbox, call: OutgoingCall, leftMs: number): Promise<unknown> {
    const host = this.#host;
    const { signal } = call;
    if (signal?.aborted)
      return Promise.reject(new AbortedError(`the call of ${call.address}`, signal.reason));
    if (this.#refuse) return Promise.reject(this.#refuse);
    return new Promise((resolve, reject) => {
      const target = inbox.claim();
      const id = target.correlationId;
      const pending: Pending = {
        resolve,
        reject,
        target,
        address: call.address,
        raw: call.raw,
        deadline: undefined,
        stopAbort: undefined,
      };
      const give = (error: unknown) => {
        if (!this.#pending.has(id)) return;
        this.#forget(id, pending);
        reject(error);
      };
      try {
        const inEnvelope = host.transport.capabilities.correlation === 'envelope' ? id : undefined;
        const now = host.transport.brokerNow?.();
        const expires = now === undefined || !Number.isFinite(leftMs) ? undefined : Math.ceil(now + leftMs);
        const payload = call.raw
          ? host.envelopes.writeRaw(call.data)
          : host.envelopes.write(call.data, target.replyTo, inEnvelope, undefined, expires);
        this.#pending.set(id, pending);
        pending.deadline = host.deadlines.after(leftMs, () =>
          give(new TimeoutError(`no answer from ${call.address}`, call.timeoutMs)),
        );
        if (signal)
          pending.stopAbort = onAbort(signal, () =>
            give(new AbortedError(`the call of ${call.address}`, signal.reason)),
          );
        host.counters.calls++;
        const options = call.native === undefined ? undefined : { native: call.native };
        const sent =
          host.compress === undefined
            ? inbox.send(call.address, payload, target, options)
            : host.compress(payload).then((small) => {
                // Whoever was told meanwhile that the call failed must not have it executed.
                if (this.#pending.has(id)) return inbox.send(call.address, small, target, options);
              });
        sent.catch(give);
      } catch (error) {
        this.#forget(id, pending);
        reject(error);
      }
    });
  }

  #receive(reply: Inbound): void {
    // Where the address tells calls apart, an answer nobody waits for is dropped unread.
    if (reply.correlationId !== undefined && !this.#pending.has(reply.correlationId)) {
      this.#host.counters.lateReplies++;
      return;
    }
    try {
      const read = after(plainPayload(this.#host, reply.payload), (payload) => this.#read(payload, reply));
      if (read instanceof Promise) read.catch((error) => this.#unreadable(reply, error));
    } catch (error) {
      this.#unreadable(reply, error);
    }
  }

  #read(payload: Uint8Array, reply: Inbound): void {
    const asked = reply.correlationId === undefined ? undefined : this.#pending.get(reply.correlationId);
    const { header, data, dataMissing } = readEnvelope(this.#host.codec, payload, asked?.raw);
    const id = reply.correlationId ?? header.correlation_id;
    const pending = typeof id === 'string' ? this.#pending.get(id) : undefined;
    if (pending === undefined || typeof id !== 'string') {
      this.#host.counters.lateReplies++;
      return;
    }
    this.#forget(id, pending);
    const error = readWireError(header);
    if (error)
      pending.reject(
        new RemoteError(error.code, error.message, error.details, { context: { address: pending.address } }),
      );
    else if (dataMissing)
      pending.reject(new DecodeError('MALFORMED', `the answer of ${pending.address} has no data`));
    else pending.resolve(data);
  }

  /** An answer that cannot be read ends the call it was sent to: nothing better will come. */
  #unreadable(reply: Inbound, error: unknown): void {
    const pending = reply.correlationId === undefined ? undefined : this.#pending.get(reply.correlationId);
    if (pending && reply.correlationId !== undefined) {
      this.#forget(reply.correlationId, pending);
      pending.reject(error);
      return;
    }
    this.#host.counters.dropped++;
    const known =
      error instanceof DecodeError
        ? error
        : new DecodeError('MALFORMED', 'an answer could not be read', { cause: error });
    this.#host.report({ type: 'dropped', endpoint: 'reply inbox', address: reply.address, error: known });
  }

  #forget(id: string, pending: Pending): void {
    this.#pending.delete(id);
    pending.deadline?.cancel();
    pending.stopAbort?.();
    this.#inbox?.release(pending.target);
  }
}

/** What calls in flight are told when the connection goes. */
export function lostInFlight(cause: CommlibError): ConnectionError {
  return new ConnectionError(
    'CONNECTION_LOST',
    'the connection was lost while the call was in flight; whether it was executed is not known',
    { cause },
  );
}
