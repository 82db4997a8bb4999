/** Schemas of any vendor that speaks Standard Schema, and what this library asks of them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ValidationError } from './errors.js';
import { isThenable } from './util/thenable.js';

/** A schema: zod, valibot, arktype, anything with a `~standard` property. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;
/** What goes into a schema: what is written to the wire. */
export type InputOf<S extends Schema> = StandardSchemaV1.InferInput<S>;
/** What comes out of it: what handlers see. */
export type OutputOf<S extends Schema> = StandardSchemaV1.InferOutput<S>;

type Result = StandardSchemaV1.Result<unknown>;

/**
 * Validates data that came over the wire. Where the schema refuses a numeric string (commlib-py up to 0.13.1 writes
 * negative integers as strings), the values at the paths of its issues become numbers and it is asked once more.
 * Returns the schema's output, or a promise of it when the schema is asynchronous; throws {@link ValidationError}.
 */
export function validateInbound(schema: Schema, what: string, data: unknown): unknown {
  return afterValidating(schema, data, (result) => {
    if (!result.issues) return result.value;
    const mended = numbersAt(data, result.issues);
    if (mended === undefined) throw refused(what, result.issues);
    return afterValidating(schema, mended.data, (again) => {
      if (again.issues) throw refused(what, again.issues);
      return again.value;
    });
  });
}

/** Checks data before it is sent, without changing it: receivers apply defaults and transforms. */
export function checkOutbound(schema: Schema, what: string, data: unknown): void | Promise<void> {
  return afterValidating(schema, data, (result): void => {
    if (result.issues) throw refused(what, result.issues);
  });
}

/** A promise only when the schema is asynchronous. */
function afterValidating<R>(
  schema: Schema,
  data: unknown,
  next: (result: Result) => R,
): R | Promise<Awaited<R>> {
  const result = schema['~standard'].validate(data);
  return isThenable(result) ? Promise.resolve(result.then(next)) : next(result);
}

function refused(what: string, issues: readonly StandardSchemaV1.Issue[]): ValidationError {
  return new ValidationError(
    what,
    issues.map((issue) => ({ path: keys(issue).join('.'), message: issue.message })),
  );
}

function keys(issue: StandardSchemaV1.Issue): PropertyKey[] {
  return (issue.path ?? [])
    .map((part) => (typeof part === 'object' ? part.key : part))
    .map((key) => (typeof key === 'symbol' ? String(key) : key));
}

// One way to read each digit: with two, a megabyte of them would take hours.
const NUMERIC = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/;

/** A copy of the data in which the strings at the issues' paths are numbers; `undefined` if none is numeric. */
function numbersAt(data: unknown, issues: readonly StandardSchemaV1.Issue[]): { data: unknown } | undefined {
  const root = { data };
  // Each container is copied once, however many issues lie in it: a message may bring a million of them.
  const copies = new Set<object>();
  let changed = false;
  for (const issue of issues) {
    const path: readonly PropertyKey[] = ['data', ...keys(issue)];
    if (!isNumeric(at(root, path))) continue;
    let holder: Record<PropertyKey, unknown> = root;
    for (const key of path.slice(0, -1)) {
      const next = holder[key] as object; // `at` went this way
      if (!copies.has(next)) {
        const copy = Array.isArray(next) ? [...next] : { ...next };
        copies.add(copy);
        holder[key] = copy;
      }
      holder = holder[key] as Record<PropertyKey, unknown>;
    }
    const key = path.at(-1) as PropertyKey;
    holder[key] = Number(holder[key]);
    changed = true;
  }
  return changed ? root : undefined;
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'string' && NUMERIC.test(value);
}

function at(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
