import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ValidationError } from './errors.js';
import { checkOutbound, type Schema, validateInbound } from './schema.js';

describe('inbound', () => {
  test('numeric strings become numbers where the schema wants numbers, and only there', () => {
    const schema = z.object({
      timestamp: z.number(),
      text: z.string(),
      list: z.array(z.object({ n: z.number() })),
    });
    const data = { timestamp: '-1', text: '5', list: [{ n: '-2.5' }, { n: 3 }] };
    expect(validateInbound(schema, 'x', data)).toEqual({
      timestamp: -1,
      text: '5',
      list: [{ n: -2.5 }, { n: 3 }],
    });
    expect(data.timestamp).toBe('-1');
    expect(data.list[0]).toEqual({ n: '-2.5' });
  });

  test('also when the whole value is one', () => {
    expect(validateInbound(z.number(), 'x', '-7')).toBe(-7);
  });

  test('a string that is no number stays refused, with its path', () => {
    const check = () =>
      validateInbound(z.object({ a: z.object({ n: z.number() }) }), 'message on a/b', { a: { n: 'seven' } });
    expect(check).toThrow(ValidationError);
    expect(check).toThrow(/message on a\/b is invalid: a\.n/);
  });

  test.each(['', ' ', '0x10', 'Infinity', '1_000', '1e', '--1'])('%j does not count as a number', (text) => {
    expect(() => validateInbound(z.object({ n: z.number() }), 'x', { n: text })).toThrow(ValidationError);
  });

  test('NaN is refused where the schema forbids it', () => {
    expect(() => validateInbound(z.object({ n: z.number() }), 'x', { n: Number.NaN })).toThrow(
      ValidationError,
    );
    expect(validateInbound(z.object({ n: z.number().or(z.nan()) }), 'x', { n: Number.NaN })).toEqual({
      n: Number.NaN,
    });
  });

  test('a message of nothing but wrong items costs time by its size, not by its square', () => {
    // Numeric strings among them, so that the mending goes all its ways.
    const items = Array.from({ length: 30_000 }, (_, i) => (i % 2 === 0 ? '-1' : 'x'));
    const begun = performance.now();
    expect(() => validateInbound(z.array(z.number()), 'x', items)).toThrow(ValidationError);
    expect(performance.now() - begun).toBeLessThan(8_000);
  });

  test('a promise need not be one of this realm', async () => {
    const foreign: Schema<unknown, number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => runInNewContext('Promise.resolve({ value: 7 })'),
      },
    };
    expect(await validateInbound(foreign, 'x', {})).toBe(7);
    await checkOutbound(foreign, 'x', {});
  });

  test('asynchronous schemas are waited for', async () => {
    const schema = z.object({ n: z.number() }).refine(async ({ n }) => n > 0, 'too small');
    await expect(validateInbound(schema, 'x', { n: '4' })).resolves.toEqual({ n: 4 });
    await expect(validateInbound(schema, 'x', { n: 0 })).rejects.toThrow(/too small/);
  });
});

describe('outbound', () => {
  test('is checked and not changed', () => {
    const data = { n: 1 };
    checkOutbound(z.object({ n: z.number(), more: z.string().default('x') }), 'x', data);
    expect(data).toEqual({ n: 1 });
    expect(() => checkOutbound(z.object({ n: z.number() }), 'x', { n: '1' })).toThrow(ValidationError);
  });
});

test('a megabyte of digits that ends in a letter is refused in no time', () => {
  const schema = z.object({ n: z.number() });
  const begun = performance.now();
  for (const text of [
    `${'9'.repeat(1_000_000)}x`,
    `9.${'9'.repeat(1_000_000)}x`,
    `9${' '.repeat(1_000_000)}x`,
  ])
    expect(() => validateInbound(schema, 'message', { n: text })).toThrow(ValidationError);
  expect(performance.now() - begun).toBeLessThan(8_000); // by its square it would take minutes
});
