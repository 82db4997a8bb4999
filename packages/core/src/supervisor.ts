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
  NotConnectedError,
  StateError,
  TimeoutError,
} from './errors.js';
import type { TransportEvent, TransportStatus } from './status.js';
import type { ConnectOptions } from './transport.js';
import { timerMs } from './util/check.js';
import { textOf } from './util/text-of.js';

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
   * Must clean up after itself when it rejects or when `signal` fires, and settle soon then: a lost connection is not
   * tried again before. Whoever closes, or waits no longer, does not wait for that.
   */
  readonly open: (signal: AbortSignal) => Promise<void>;
  /**
   * The orderly way out, in the time that is `left`, in milliseconds: what was accepted goes out, what was handed over is settled, the
   * broker is told. Called once, by {@link Supervisor.close}; a connection that is lost meanwhile is still opened again.
   */
  readonly shutDown?: ((left: () => number) => Promise<void>) | undefined;
  /** It has ended, for whatever reason; called once. What is still pending fails with this error; the connection is let go. */
  readonly onClosed?: ((error: CommlibError) => void) | undefined;
  readonly backoff?: Partial<Backoff> | undefined;
}

/** One run of `open`. */
interface Attempt {
  readonly controller: AbortController;
  /** Ends the waiting for it. */
  readonly giveUp: (error: CommlibError) => void;
}

/** Runs one connection. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  #status: TransportStatus = { state: 'idle' };
  #connect: ConnectOptions | undefined;
  #attempt: Attempt | undefined;
  #wake: (() => void) | undefined;
  #reconnects = 0;
  #lostWhileOpening: CommlibError | undefined;
  #closing: Promise<void> | undefined;
  #ending = false;

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

  /** The connection is there, or is worked at: what can wait for it may. */
  get mayReturn(): boolean {
    const { state } = this.#status;
    return !this.#ending && state !== 'idle' && state !== 'closed';
  }

  /** Why nothing can be sent now: {@link ClosedError}, or {@link NotConnectedError} as long as that may change. */
  offline(): CommlibError {
    const status = this.#status;
    if (!this.#ending && status.state !== 'closed')
      return new NotConnectedError(`not connected to ${this.#options.target}`);
    const cause = status.state === 'closed' ? status.error : undefined;
    return new ClosedError(`the connection to ${this.#options.target}`, { cause });
  }

  /** Nothing new is begun on what is closing. */
  throwIfEnding(): void {
    if (this.#ending || this.#isClosed()) throw this.offline();
  }

  /** Makes the first connection: see {@link Transport.connect}. */
  async start(options: ConnectOptions): Promise<void> {
    if (this.#status.state === 'closed') throw new ClosedError(`connection to ${this.#options.target}`);
    if (this.#connect) throw new StateError('connect() was called before: a transport serves one node, once');
    this.#connect = options;
    let timedOut = false;
    let last: CommlibError | undefined;
    const timer = setTimeout(() => {
      timedOut = true;
      this.#interrupt(new ConnectionError('CONNECTION_TIMEOUT', 'the attempt took too long'));
    }, timerMs(options.timeoutMs));
    const abort = () =>
      this.#interrupt(new AbortedError(`connecting to ${this.#options.target}`, options.signal?.reason));
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const throwIfEnded = () => {
        if (this.#isClosed()) throw new ClosedError(`connection to ${this.#options.target}`, { cause: last });
        if (options.signal?.aborted)
          throw new AbortedError(`connecting to ${this.#options.target}`, options.signal.reason);
      };
      for (let attempt = 1; ; attempt++) {
        throwIfEnded();
        this.#set({ state: 'connecting', attempt });
        const error = await this.#open();
        if (error === undefined) return;
        // An attempt that the end of the time has cut short says less than the one before it.
        if (!timedOut || last === undefined) last = error;
        throwIfEnded();
        if (options.failFast || isPermanent(error)) throw error;
        if (!timedOut) await this.#pause(this.#delay(attempt));
        throwIfEnded();
        if (timedOut) {
          throw new TimeoutError(
            `no connection to ${this.#options.target} (${last.message})`,
            options.timeoutMs,
            { cause: last },
          );
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
      this.#attempt.controller.abort(error);
      return;
    }
    if (this.#status.state === 'ready') void this.#reconnect(error);
  }

  /**
   * Ends it in good order, or at the deadline: no more attempts, a running one is interrupted. The state is `closed` then; at once
   * where there is nothing to {@link SupervisorOptions.shutDown}.
   */
  close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.#ending = true;
    this.#closing ??= this.#shutDown(performance.now() + deadlineMs);
    return this.#closing;
  }

  /** For whoever listens to the connection. */
  report(event: TransportEvent): void {
    this.#connect?.onEvent(event);
  }

  /** A message or a subscription was lost that no caller can be told of. */
  dropped(address: string, error: CommlibError): void {
    this.report({ type: 'dropped', address, error });
  }

  async #shutDown(end: number): Promise<void> {
    const { shutDown } = this.#options;
    try {
      if (shutDown && !this.#isClosed()) await shutDown(() => Math.max(0, end - performance.now()));
    } finally {
      this.#end(undefined);
    }
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
    const controller = new AbortController();
    const { signal } = controller;
    this.#lostWhileOpening = undefined;
    let failure: CommlibError | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#attempt = { controller, giveUp: reject };
        this.#options.open(signal).then(resolve, reject);
      });
      failure = this.#lostWhileOpening;
      if (!failure && signal.aborted)
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

  /** Ends what is going on, an attempt or a pause. */
  #interrupt(reason: CommlibError): void {
    this.#attempt?.controller.abort(reason);
    this.#attempt?.giveUp(reason);
    this.#wake?.();
  }

  #end(error: CommlibError | undefined): void {
    if (this.#isClosed()) return;
    this.#set({ state: 'closed', error });
    this.#interrupt(error ?? new ClosedError(`connection to ${this.#options.target}`));
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
      const timer = setTimeout(done, timerMs(delayMs));
      this.#wake = done;
    });
  }

  #set(status: TransportStatus): void {
    this.#status = status;
    if (status.state === 'closed') this.#options.onClosed?.(this.offline());
    this.report({ type: 'status', status });
  }
}

/** By its fields: a transport may have another copy of this package. */
function isPermanent(error: CommlibError): boolean {
  return 'permanent' in error && error.permanent === true;
}

/** Any thrown value as an error of ours; what is none becomes `CONNECTION_FAILED` with its cause. */
function asConnectionError(error: unknown, target: string): CommlibError {
  if (CommlibError.is(error)) return error;
  return new ConnectionError('CONNECTION_FAILED', `connection to ${target} failed: ${textOf(error)}`, {
    cause: error,
  });
}
