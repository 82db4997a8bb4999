/**
 * Building blocks for what Hummingbot writes. Its JSON is made by ujson after a pass that turns every *negative
 * integer into a string* (`"timestamp":"-1"`), writes `Decimal` as number, enums by `str()` (`"OrderType.LIMIT"`),
 * and leaves `NaN` and `Infinity` bare. Readers here accept all of that; fields they do not know pass through.
 *
 * @module
 */
import * as z from 'zod';

// One way to read each digit: with two, a megabyte of them would take hours.
const NUMERIC = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/;

const numeric = z.string().regex(NUMERIC, 'not a number').transform(Number);
const big = z.bigint().transform(Number);

/** A finite number; numeric strings (negative integers) and integers beyond 2^53 become one. */
export const finite = z.union([z.number(), numeric, big]);

/** A number that may be `NaN` or infinite: what a `Decimal` of a connector becomes, such as a market order's price. */
export const decimal = z.union([z.number().or(z.nan()), z.custom<number>(isInfinite), numeric, big]);

/** An integer kept exactly: a `bigint` where a `number` would round it. */
export const exactInteger = z.union([z.number(), z.bigint(), numeric]);

/** An identifier that some connectors write as a number. Its text, always. */
export const idText = z.union([z.string(), z.number().transform(String), z.bigint().transform(String)]);

/**
 * A word of a known list, or one that a newer version added: `'a' | 'b' | (string & {})`, so that editors complete
 * the known ones.
 */
export function word<const Known extends string>(..._known: readonly Known[]) {
  return z.custom<Known | (string & {})>((value) => typeof value === 'string', 'not a string');
}

/** An object whose unknown fields pass through. Its type lists only the known ones, so that a misspelt one is an error. */
export function open<Shape extends z.core.$ZodShape>(shape: Shape): z.ZodObject<Shape> {
  return z.looseObject(shape);
}

/** Any JSON object. */
export const anyObject = z.record(z.string(), z.unknown());

function isInfinite(value: unknown): boolean {
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}
