/** A request that can be answered, and the reading of it. */
import { has } from '../capabilities.js';
import type { EndpointHost } from '../endpoints/host.js';
import { RefusedRequestError } from '../errors.js';
import type { Inbound, ReplyTarget, Settlement } from '../transport.js';
import { type Envelope, readEnvelope } from './envelope.js';
import { SeenRequests } from './seen.js';

export interface Job {
  readonly inbound: Inbound;
  readonly envelope: Envelope;
  readonly target: ReplyTarget;
  /** What the broker is told of the request when all is done. */
  outcome: Settlement;
}

/** Reads the requests of one service, each of them once. */
export class JobReader {
  readonly #host: EndpointHost;
  readonly #seen = new SeenRequests();

  constructor(host: EndpointHost) {
    this.#host = host;
  }

  /** Throws for what must not be executed: it cannot be read, it cannot be answered, it was executed before. */
  read(payload: Uint8Array, inbound: Inbound): Job {
    const { rawBodies } = this.#host.transport.capabilities;
    const envelope = readEnvelope(this.#host.codec, payload, rawBodies !== undefined && has(rawBodies));
    const target = targetOf(inbound, envelope);
    if (target === undefined) {
      throw new RefusedRequestError('NO_REPLY_ADDRESS', 'a request without a reply address was not executed');
    }
    this.#refuseExpired(envelope);
    // What cannot be answered is not executed: its sender could never know.
    this.#host.transport.names.checkReply?.(target.replyTo);
    const identity = this.#identity(inbound, target);
    if (identity !== undefined && this.#seen.repeated(identity)) {
      throw new RefusedRequestError('REPEATED_REQUEST', 'a request that came before was not executed again');
    }
    return { inbound, envelope, target, outcome: 'ack' };
  }

  /** A broker may have kept it until long after its caller gave up. */
  #refuseExpired({ header: { expires } }: Envelope): void {
    if (typeof expires !== 'number') return;
    const now = this.#host.transport.brokerNow?.();
    if (now === undefined || now <= expires) return;
    const lateMs = Math.round(now - expires);
    throw new RefusedRequestError(
      'EXPIRED_REQUEST',
      `a request whose caller stopped waiting ${lateMs} ms ago was not executed`,
    );
  }

  /**
   * What tells one request from another: the reply address where it is new for each call, else the correlation id within
   * it, as with callers that use the request and response properties of MQTT 5 themselves. Without either (commlib-py's AMQP
   * client) repetitions cannot be told from calls, and all are executed.
   */
  #identity(inbound: Inbound, { replyTo, correlationId }: ReplyTarget): string | undefined {
    const byAddress = this.#host.transport.capabilities.correlation === 'address';
    if (byAddress && (inbound.replyTo === undefined || inbound.correlationId === undefined)) return replyTo;
    return correlationId === undefined ? undefined : `${replyTo}/${correlationId}`;
  }
}

/** Where the answer goes: what the protocol says comes before what the envelope says. */
function targetOf(inbound: Inbound, { header }: Envelope): ReplyTarget | undefined {
  const replyTo = inbound.replyTo ?? header.reply_to;
  if (typeof replyTo !== 'string' || replyTo === '') return undefined;
  const correlationId = inbound.correlationId ?? header.correlation_id;
  return typeof correlationId === 'string' ? { replyTo, correlationId } : { replyTo };
}
