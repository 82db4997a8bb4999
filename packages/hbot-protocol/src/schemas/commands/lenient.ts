/**
 * What a bot accepts in a request: as the real one (pydantic 2, lax) does, strings for numbers and booleans, whole
 * numbers for booleans, no numbers for strings; unknown fields are dropped; what is missing gets its default.
 */
import * as z from 'zod';

const TRUE = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', 'off', '0']);
// One way to read each digit: with two, a megabyte of them would take hours.
const NUMBER = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/;
const INTEGER = /^\s*[+-]?\d+(\.0*)?\s*$/;

const booleanWord = z
  .string()
  .refine((text) => TRUE.has(text.toLowerCase()) || FALSE.has(text.toLowerCase()), 'not a boolean')
  .transform((text) => TRUE.has(text.toLowerCase()));

/** `true`, `1`, `"yes"`, … */
export const lenientBoolean = z.union([
  z.boolean(),
  z.union([z.literal(0), z.literal(1)]).transform((n) => n === 1),
  booleanWord,
]);

/** `1.5`, `"1.5"`, `true`, and `NaN`, which bots take for a balance. */
export const lenientNumber = z.union([
  z.number().or(z.nan()),
  z.string().regex(NUMBER, 'not a number').transform(Number),
  z.boolean().transform(Number),
]);

/** `1`, `1.0`, `"1"`. */
export const lenientInteger = z.union([
  z.number().int(),
  z.string().regex(INTEGER, 'not an integer').transform(Number),
  z.boolean().transform(Number),
]);
