/**
 * Waiting until a stream takes bytes again: one listener and one promise, however many wait. mqtt.js adds a listener per
 * message, and Node warns of a leak from the eleventh on.
 */
import type { CommlibError } from '@commlib/core';

/** The part of a stream that tells of its congestion. */
interface Congestible {
  readonly writableNeedDrain?: boolean;
  once(event: 'drain', listener: () => void): unknown;
}

const NOW = Promise.resolve();

export class Drain {
  #waiting: { promise: Promise<void>; reject: (error: CommlibError) => void } | undefined;

  /** Resolves at once when the stream is not congested. */
  wait(stream: Congestible): Promise<void> {
    if (stream.writableNeedDrain !== true) return NOW;
    if (this.#waiting === undefined) {
      let fail: (error: CommlibError) => void = () => {};
      const promise = new Promise<void>((resolve, reject) => {
        fail = reject;
        stream.once('drain', () => {
          this.#waiting = undefined;
          resolve();
        });
      });
      promise.catch(() => {}); // Nobody may be waiting any more.
      this.#waiting = { promise, reject: fail };
    }
    return this.#waiting.promise;
  }

  /** The stream ended: it will not drain. */
  fail(error: CommlibError): void {
    this.#waiting?.reject(error);
  }
}
