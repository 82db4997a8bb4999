/**
 * Is this something to wait for? What user code returns may be a promise of another realm, or of a library of its own:
 * `instanceof Promise` would take those for values.
 */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function')
  );
}
