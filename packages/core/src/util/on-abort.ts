/**
 * Any number of callbacks on one `AbortSignal` with one listener: Node warns of a leak from the eleventh listener on, and a
 * thousand calls may well share a signal.
 */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `run` when the signal fires; returns how to prevent that. The signal must not have fired yet. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  let callbacks = waiting.get(signal);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    const fire = () => {
      waiting.delete(signal);
      for (const callback of all) callback();
    };
    signal.addEventListener('abort', fire, { once: true });
    callbacks = all;
    waiting.set(signal, all);
  }
  const own = () => run();
  const all = callbacks;
  all.add(own);
  return () => {
    all.delete(own);
  };
}
