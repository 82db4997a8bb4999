/** Schemas of any vendor that speaks Standard Schema, and what this library asks of them. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ValidationError } from './errors.js';

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
  const result = schema['~standard'].validate(data);
  return result instanceof Promise
    ? result.then((r) => settleInbound(schema, what, data, r))
    : settleInbound(schema, what, data, result);
}

function settleInbound(schema: Schema, what: string, data: unknown, result: Result): unknown {
  if (!result.issues) return result.value;
  const mended = numbersAt(data, result.issues);
  if (mended === undefined) throw refused(what, result.issues);
  const again = schema['~standard'].validate(mended.data);
  const finish = (r: Result) => {
    if (r.issues) throw refused(what, r.issues);
    return r.value;
  };
  return again instanceof Promise ? again.then(finish) : finish(again);
}

/** Checks data before it is sent, without changing it: receivers apply defaults and transforms. */
export function checkOutbound(schema: Schema, what: string, data: unknown): void | Promise<void> {
  const result = schema['~standard'].validate(data);
  const finish = (r: Result) => {
    if (r.issues) throw refused(what, r.issues);
  };
  return result instanceof Promise ? result.then(finish) : finish(result);
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

const NUMERIC = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

/** A copy of the data in which the strings at the issues' paths are numbers; `undefined` if none is numeric. */
function numbersAt(data: unknown, issues: readonly StandardSchemaV1.Issue[]): { data: unknown } | undefined {
  const root = { data };
  let changed = false;
  for (const issue of issues) {
    let holder: Record<PropertyKey, unknown> = root;
    let key: PropertyKey = 'data';
    for (const part of keys(issue)) {
      const next: unknown = Object.hasOwn(holder, key) ? holder[key] : undefined;
      if (typeof next !== 'object' || next === null) break;
      // Copy on the way down: the caller's value stays what it was.
      const copy = (Array.isArray(next) ? [...next] : { ...next }) as Record<PropertyKey, unknown>;
      holder[key] = copy;
      holder = copy;
      key = part;
    }
    const value = Object.hasOwn(holder, key) ? holder[key] : undefined;
    if (typeof value === 'string' && NUMERIC.test(value)) {
      holder[key] = Number(value);
      changed = true;
    }
  }
  return changed ? root : undefined;
}
