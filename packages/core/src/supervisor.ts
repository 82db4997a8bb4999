/**
 * The life of a connection, once for all transports: idle → connecting → ready ⇄ reconnecting → closed.
 * A transport says how to open a connection (and to restore everything on it) and when it was lost; when to try again,
 * when to give up and what to call it are decided here.
 */
import {
  AbortedError,
  ClosedError,
  CommlibError,
  ConnectionError,
  StateError,
  TimeoutError,
} from './errors.js';
import type { TransportStatus } from './status.js';
import type { ConnectOptions } from './transport.js';

/** Pauses between attempts: `minMs · 2ⁿ` up to `maxMs`, each shortened at random by up to half, so that a herd spreads out. */
export interface Backoff {
  /** Default 100. */
  readonly minMs: number;
  /** Default 10 000. */
  readonly maxMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { minMs: 100, maxMs: 10_000 };

/** What a transport tells its supervisor. */
export interface SupervisorOptions {
  /** The broker as it may be shown: no credentials. Used in error messages. */
  readonly target: string;
  /**
   * Opens the connection and restores every subscription, service and inbox on it; resolves when all are confirmed.
   * Must clean up after itself when it rejects or when `signal` fires.
   */
  readonly open: (signal: AbortSignal) => Promise<void>;
  readonly backoff?: Partial<Backoff> | undefined;
}

/** Runs one connection. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  #status: TransportStatus = { state: 'idle' };
  #connect: ConnectOptions | undefined;
  #attempt: AbortController | undefined;
  #wake: (() => void) | undefined;
  #reconnects = 0;
  #lostWhileOpening: CommlibError | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
  }

  get status(): TransportStatus {
    return this.#status;
  }

  get ready(): boolean {
    return this.#status.state === 'ready';
  }

  /** Makes the first connection: see {@link Transport.connect}. */
  async start(options: ConnectOptions): Promise<void> {
    if (this.#status.state === 'closed') throw new ClosedError(`connection to ${this.#options.target}`);
    if (this.#connect) throw new StateError('connect() was called before');
    this.#connect = options;
    options.signal?.throwIfAborted?.();
    let timedOut = false;
    let last: CommlibError | undefined;
    const timer = setTimeout(() => {
      timedOut = true;
      this.#interrupt();
    }, options.timeoutMs);
    const abort = () => this.#interrupt();
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      for (let attempt = 1; ; attempt++) {
        this.#set({ state: 'connecting', attempt });
        const error = await this.#open();
        if (error === undefined) return;
        last = error;
        if (this.#isClosed())
          throw new ClosedError(`connection to ${this.#options.target}`, { cause: error });
        if (options.signal?.aborted)
          throw new AbortedError(`connecting to ${this.#options.target}`, options.signal.reason);
        if (options.failFast || isPermanent(error)) throw error;
        if (!timedOut) await this.#pause(this.#delay(attempt));
        if (options.signal?.aborted)
          throw new AbortedError(`connecting to ${this.#options.target}`, options.signal.reason);
        if (timedOut) {
          const why = last.code === 'ABORTED' ? '' : ` (${last.message})`;
          throw new TimeoutError(`no connection to ${this.#options.target}${why}`, options.timeoutMs, {
            cause: last,
          });
        }
      }
    } catch (error) {
      const known = asConnectionError(error, this.#options.target);
      this.#end(known);
      throw known;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /** The transport noticed that its connection is gone. Safe to call twice, or in any state. */
  lost(error: CommlibError): void {
    if (this.#attempt) {
      this.#lostWhileOpening ??= error;
      this.#attempt.abort(error);
      return;
    }
    if (this.#status.state === 'ready') void this.#reconnect(error);
  }

  /** No more attempts; a running one is interrupted. The state becomes `closed`. */
  close(): void {
    this.#end(undefined);
  }

  async #reconnect(error: CommlibError): Promise<void> {
    let cause = error;
    for (let attempt = 1; !this.#isClosed(); attempt++) {
      if (isPermanent(cause)) return this.#end(cause);
      const delayMs = this.#delay(attempt);
      this.#set({ state: 'reconnecting', attempt, delayMs, error: cause });
      await this.#pause(delayMs);
      if (this.#isClosed()) return;
      const failed = await this.#open();
      if (failed === undefined) return;
      cause = failed;
    }
  }

  async #open(): Promise<CommlibError | undefined> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#lostWhileOpening = undefined;
    let failure: CommlibError | undefined;
    try {
      await this.#options.open(attempt.signal);
      failure = this.#lostWhileOpening;
      if (!failure && attempt.signal.aborted)
        failure = new ConnectionError('CONNECTION_FAILED', 'the attempt was interrupted');
    } catch (error) {
      failure = this.#lostWhileOpening ?? asConnectionError(error, this.#options.target);
    }
    this.#attempt = undefined;
    if (failure || this.#isClosed())
      return failure ?? new ClosedError(`connection to ${this.#options.target}`);
    const reconnects = this.#reconnects++;
    this.#set({ state: 'ready', since: new Date(), reconnects });
    return undefined;
  }

  #interrupt(): void {
    this.#attempt?.abort(new ConnectionError('CONNECTION_TIMEOUT', 'the attempt took too long'));
    this.#wake?.();
  }

  #end(error: CommlibError | undefined): void {
    if (this.#isClosed()) return;
    this.#set({ state: 'closed', error });
    this.#attempt?.abort(error ?? new ClosedError(`connection to ${this.#options.target}`));
    this.#wake?.();
  }

  #isClosed(): boolean {
    return this.#status.state === 'closed';
  }

  #delay(attempt: number): number {
    const full = Math.min(this.#backoff.maxMs, this.#backoff.minMs * 2 ** Math.min(attempt - 1, 30));
    return Math.round(full * (0.5 + Math.random() / 2));
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      this.#wake = done;
    });
  }

  #set(status: TransportStatus): void {
    this.#status = status;
    this.#connect?.onEvent({ type: 'status', status });
  }
}

function isPermanent(error: CommlibError): boolean {
  return error instanceof ConnectionError && error.permanent;
}

/** Any thrown value as an error of ours; what is none becomes `CONNECTION_FAILED` with its cause. */
function asConnectionError(error: unknown, target: string): CommlibError {
  if (CommlibError.is(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ConnectionError('CONNECTION_FAILED', `connection to ${target} failed: ${text}`, {
    cause: error,
  });
}
