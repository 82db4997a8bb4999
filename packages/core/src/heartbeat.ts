/**
 * The heartbeat of a node, as commlib-py publishes it: `{"ts": <nanoseconds>}` on `<name>.heartbeat`, the first at start.
 * Source: commlib-py 0.13 `node.py` (0.11 wrote microseconds).
 */
import { topic } from './contract.js';
import type { EndpointHost } from './endpoints/host.js';
import { Publisher } from './endpoints/publisher.js';
import { CommlibError, HandlerError } from './errors.js';
import type { NameInput } from './names/name.js';
import type { Schema } from './schema.js';
import { milliseconds, timerMs } from './util/check.js';

/** Options of a heartbeat. */
export interface HeartbeatOptions {
  /** Default 10 000. */
  readonly intervalMs?: number | undefined;
  /** Default `<node name>.heartbeat`. */
  readonly topic?: NameInput | undefined;
}

const beat: Schema<{ ts: bigint }> = {
  '~standard': { version: 1, vendor: 'commlib', validate: (value) => ({ value: value as { ts: bigint } }) },
};

/** Publishes until it is stopped. A beat that cannot be sent (offline) is left out, not kept. */
export class Heartbeat {
  readonly #timer: ReturnType<typeof setInterval>;
  #stopped = false;

  constructor(host: EndpointHost, name: string, options: HeartbeatOptions) {
    const publisher = new Publisher(host, topic(options.topic ?? `${name}.heartbeat`, beat), {});
    const send = () => {
      publisher.publish({ ts: BigInt(Date.now()) * 1_000_000n }).catch((error: unknown) => {
        if (this.#stopped || CommlibError.is(error, 'NOT_CONNECTED')) return;
        const known = CommlibError.is(error) ? error : new HandlerError('heartbeat', error);
        host.report({
          type: 'handler-error',
          endpoint: 'heartbeat',
          address: publisher.contract.name.text,
          error: known,
        });
      });
    };
    const intervalMs = milliseconds(options.intervalMs ?? 10_000, 'intervalMs');
    send();
    this.#timer = setInterval(send, timerMs(intervalMs));
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }
}
