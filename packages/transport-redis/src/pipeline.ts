/**
 * What is under way on a connection: commands without an answer, and bytes that have not left. On a busy connection, what is
 * written in one turn of the event loop goes to the network in one piece. On a quiet one nothing is held back: a single call
 * must not wait for the end of the turn.
 */
import type { Command, Redis } from 'ioredis';

/** Unsent bytes above which a connection counts as congested. */
const CONGESTED_BYTES = 262_144;
/** A connection with more commands than this without an answer is busy. */
const FEW = 8;

const DONE = Promise.resolve();
/** Taken once, so that a test with fake timers does not stop what is being sent. */
const immediate = setImmediate;

export class Pipeline {
  readonly #redis: Redis;
  /** Commands without an answer, and when the last answer (or the first command after silence) was. */
  #unanswered = 0;
  #progress = 0;
  #corked = false;
  #drain: { promise: Promise<void>; settle: () => void } | undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  write(command: Command): void {
    if (this.#unanswered++ === 0) this.#progress = performance.now();
    this.#cork();
    this.#redis.sendCommand(command);
  }

  /** One of the commands has its answer. */
  answered(): void {
    this.#unanswered--;
    this.heard();
  }

  /** The server gave a sign of life. */
  heard(): void {
    this.#progress = performance.now();
  }

  /** Nothing is waited for. */
  get idle(): boolean {
    return this.#unanswered === 0;
  }

  /** An answer is waited for, and nothing was heard for so long. */
  silentFor(ms: number): boolean {
    return this.#unanswered > 0 && performance.now() - this.#progress > ms;
  }

  /** Runs at once on a quiet connection, at the end of the turn on a busy one. */
  soon(task: () => void): void {
    if (this.#unanswered > FEW) immediate(task);
    else queueMicrotask(task);
  }

  get congested(): boolean {
    const { stream } = this.#redis;
    return stream.writableNeedDrain && stream.writableLength > CONGESTED_BYTES;
  }

  /** Resolves when bytes are taken again, or at the {@link end}. */
  drained(): Promise<void> {
    const { stream } = this.#redis;
    if (!stream.writableNeedDrain) return DONE;
    if (this.#drain === undefined) {
      let settle = () => {};
      const promise = new Promise<void>((resolve) => {
        settle = () => {
          this.#drain = undefined;
          resolve();
        };
      });
      stream.once('drain', settle);
      this.#drain = { promise, settle };
    }
    return this.#drain.promise;
  }

  /** The connection is no more: nobody waits for it any longer. */
  end(): void {
    this.#drain?.settle();
  }

  #cork(): void {
    if (this.#corked || this.#unanswered <= FEW) return;
    const stream: Redis['stream'] | undefined = this.#redis.stream;
    if (!stream) return;
    this.#corked = true;
    stream.cork();
    immediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }
}
