/** Assertions of the kit, so that it needs no runner's own. */
import { CommlibError } from '@commlib/core';

/** A property that does not hold. `actual` and `expected` are there for runners that show a difference. */
export class PropertyError extends Error {
  override readonly name = 'PropertyError';
  readonly actual: unknown;
  readonly expected: unknown;

  constructor(message: string, actual?: unknown, expected?: unknown, options?: ErrorOptions) {
    super(message, options);
    this.actual = actual;
    this.expected = expected;
  }
}

/** @throws {@link PropertyError} unless it holds. */
export function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new PropertyError(what);
}

/** Compares plain data: texts, numbers, booleans, `undefined`, arrays and records of them, bytes. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!same(actual, expected))
    throw new PropertyError(`${what}: got ${show(actual)}, not ${show(expected)}`, actual, expected);
}

/** A promise that somebody may not come to wait for, when the property fails before: that is no accident of the process. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Resolves with the error, which has this code. */
export function rejects(promise: Promise<unknown>, code: string, what: string): Promise<CommlibError> {
  return quiet(rejection(promise, code, what));
}

async function rejection(promise: Promise<unknown>, code: string, what: string): Promise<CommlibError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (CommlibError.is(error, code)) return error;
    throw new PropertyError(`${what}: rejected with ${describe(error)}, not with ${code}`, error, code, {
      cause: error,
    });
  }
  throw new PropertyError(`${what}: resolved with ${show(value)}, should reject with ${code}`, value, code);
}

/** For what throws, or returns a promise that rejects. */
export function refuses(act: () => unknown, code: string, what: string): Promise<CommlibError> {
  return rejects((async () => act())(), code, what);
}

/**
 * Waits until it holds.
 *
 * @throws {@link PropertyError} after the time, with what was awaited and, from `seen`, what there was instead.
 */
export async function until(
  what: string,
  holds: () => boolean,
  timeoutMs = 20_000,
  seen?: () => unknown,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) {
      const instead = seen ? `; there was ${show(seen())}` : '';
      throw new PropertyError(`waited ${timeoutMs} ms in vain: ${what}${instead}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false;
    return a.every((byte, i) => byte === b[i]);
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return (
    left.length === right.size && left.every(([key, value]) => right.has(key) && same(value, right.get(key)))
  );
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Error) return describe(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

function describe(error: unknown): string {
  if (CommlibError.is(error)) return `${error.code} (${error.message})`;
  return String(error);
}
