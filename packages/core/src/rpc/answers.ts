/** The sending of answers. Whatever happens to a request becomes an answer or a report: nothing here rejects. */
import type { EndpointHost } from '../endpoints/host.js';
import { CommlibError, HandlerError } from '../errors.js';
import { textOf } from '../util/text-of.js';
import type { Job } from './job.js';
import { isServiceError, toWireError, type WireError } from './wire-error.js';

/** The answers of one service. */
export class Answers {
  readonly #host: EndpointHost;
  /** The service's address, for reports. */
  readonly #service: string;

  constructor(host: EndpointHost, service: string) {
    this.#host = host;
    this.#service = service;
  }

  /** An answer. Throws for what cannot be written: see {@link broken}. */
  send(job: Job, data: unknown): Promise<void> {
    return this.#transmit(job, this.#write(job, data));
  }

  /** The handler threw. An error it chose is an answer; of any other the caller learns the text only. */
  failed(job: Job, error: unknown): Promise<void> {
    if (isServiceError(error)) return this.fail(job, toWireError(error));
    if (this.#host.signal.aborted) {
      // Being shut down is not a failure, and nothing was answered: another service may have it.
      job.outcome = 'nack';
      return Promise.resolve();
    }
    const failure = new HandlerError(this.#service, error);
    this.#report(job.inbound.address, failure);
    return this.fail(job, { code: failure.code, message: textOf(error) });
  }

  /** The handler's answer breaks the contract, or cannot be written. */
  broken(job: Job, error: unknown): Promise<void> {
    const known = CommlibError.is(error) ? error : new HandlerError(this.#service, error);
    this.#report(job.inbound.address, known);
    return this.fail(job, toWireError(known));
  }

  /** An error as the answer. */
  fail(job: Job, { code, message, details }: WireError): Promise<void> {
    const data = this.#host.transport.capabilities.failureData === 'empty' ? {} : null;
    try {
      return this.#transmit(job, this.#write(job, data, { code, message, details }));
    } catch (error) {
      // The details may be anything. The caller gets an answer all the same.
      this.#report(job.inbound.address, new HandlerError(this.#service, error));
      return this.#transmit(job, this.#write(job, data, { code, message }));
    }
  }

  #write({ target, envelope }: Job, data: unknown, error?: WireError): Uint8Array {
    const { transport, envelopes } = this.#host;
    // In kind. There is no place for an error in it: commlib-py's own answer is the empty object then.
    if (envelope.raw) return envelopes.writeRaw(error ? {} : data);
    const correlation = transport.capabilities.correlation === 'envelope' ? target.correlationId : undefined;
    return envelopes.write(data, '', correlation, error);
  }

  #transmit({ inbound, target }: Job, payload: Uint8Array): Promise<void> {
    const { transport, compress } = this.#host;
    const unsent = (cause: unknown) => this.#unsent(target.replyTo, cause);
    try {
      if (compress === undefined) return transport.respond(inbound, target, payload).catch(unsent);
    } catch (cause) {
      return Promise.resolve(unsent(cause));
    }
    return compress(payload)
      .then((small) => transport.respond(inbound, target, small))
      .catch(unsent);
  }

  #unsent(replyTo: string, cause: unknown): void {
    if (this.#host.signal.aborted) return;
    this.#report(replyTo, CommlibError.is(cause) ? cause : new HandlerError(this.#service, cause));
  }

  #report(address: string, error: CommlibError): void {
    this.#host.report({ type: 'handler-error', endpoint: this.#service, address, error });
  }
}
