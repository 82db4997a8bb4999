import { AbortedError, TimeoutError } from '../errors.js';
import { onAbort } from '../util/on-abort.js';
import type { EndpointHost } from './host.js';

/** How long to wait, and what to say when it was in vain. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** What was waited for: `no reply inbox for a/b` (within 100 ms). */
  readonly missing: string;
  /** What was being done: `the call of a/b` (was aborted). */
  readonly doing: string;
}

/** Waits for something the broker has to do. Ends with the deadline, the caller's signal, or the node. */
export function inTime<T>(host: EndpointHost, work: () => Promise<T>, patience: Patience): Promise<T> {
  const { timeoutMs, signal, missing, doing } = patience;
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) return reject(new AbortedError(doing, signal.reason));
    if (host.signal.aborted) return reject(host.signal.reason);
    const fail = (error: unknown) => {
      release();
      reject(error);
    };
    const deadline = host.deadlines.after(timeoutMs, () => fail(new TimeoutError(missing, timeoutMs)));
    const aborted = () => fail(new AbortedError(doing, signal?.reason));
    const closed = () => fail(host.signal.reason);
    const stops = [onAbort(host.signal, closed)];
    if (signal) stops.push(onAbort(signal, aborted));
    const release = () => {
      deadline.cancel();
      for (const stop of stops) stop();
    };
    const done = (value: T) => {
      release();
      resolve(value);
    };
    // Begun at once: what the caller sends next comes after it.
    try {
      work().then(done, fail);
    } catch (error) {
      fail(error);
    }
  });
}
