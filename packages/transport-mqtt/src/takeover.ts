/**
 * Two connections of one client id end each other for ever. MQTT 5 tells; on 3.1.1 it shows only in links that end soon
 * and without a word. Either way the next attempt waits the longest pause, so that it does not go on at full speed.
 */
import { type CommlibError, ConnectionError, DEFAULT_BACKOFF, timerMs } from '@commlib/core';
import type { MqttConfig } from './options.js';

/** Links that end sooner than this after their beginning, one after the other, look like a quarrel over a client id. */
const SHORT_MS = 3_000;
const QUARREL_AFTER = 3;
/** Session taken over (MQTT 5 §3.14.2.1). */
const TAKEN_OVER = 142;

export class Takeover {
  readonly #pauseMs: number;
  readonly #clientId: string;
  #openedAt = Number.NEGATIVE_INFINITY;
  #short = 0;
  #quarrel = false;

  constructor(config: MqttConfig, clientId: string) {
    this.#pauseMs = config.backoff?.maxMs ?? DEFAULT_BACKOFF.maxMs;
    this.#clientId = clientId;
  }

  /** A link is ready. */
  opened(): void {
    this.#openedAt = performance.now();
  }

  /** A link ended: its error, with the suspicion added where there is one. */
  judge(error: CommlibError): CommlibError {
    const soon = performance.now() - this.#openedAt < SHORT_MS;
    const told = error.context.reasonCode === TAKEN_OVER;
    this.#short = soon && error instanceof ConnectionError ? this.#short + 1 : 0;
    this.#quarrel = told || this.#short >= QUARREL_AFTER;
    if (told || !this.#quarrel || !(error instanceof ConnectionError)) return error;
    const guess = `it ended ${this.#short} times right after it began: does another connection use the client id ${this.#clientId}?`;
    return new ConnectionError(error.code, `${error.message}; ${guess}`, {
      cause: error,
      context: error.context,
    });
  }

  /** Before the next attempt. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#quarrel || signal.aborted) return;
    this.#quarrel = false;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, timerMs(this.#pauseMs * (0.5 + Math.random() / 2)));
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
