import { AbortedError } from '../errors.js';

/** The work, or the signal's abort; the work goes on then, and nobody hears how it ends. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  if (signal.aborted) {
    work.catch(() => {});
    return Promise.reject(new AbortedError(what, signal.reason));
  }
  return new Promise((resolve, reject) => {
    const abort = () => reject(new AbortedError(what, signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
