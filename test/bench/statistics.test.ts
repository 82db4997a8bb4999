import { expect, test } from 'vitest';
import { median, summarize, valuesOf } from './statistics.js';

test('the median of an odd and an even number of values', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a run becomes a rate, and seconds of CPU per 100 000 messages', () => {
  expect(valuesOf({ count: 30_000, seconds: 2, cpuSeconds: 1.5, memory: 100, growth: 20 })).toEqual({
    rate: 15_000,
    cpu: 5,
    p50: undefined,
    p99: undefined,
    memory: 100,
    growth: 20,
  });
});

test('ratios are those of neighbouring runs, not of medians: a slow minute of the machine hits both', () => {
  const run = (rate: number) => ({ rate, cpu: 1, p50: undefined, p99: undefined, memory: 80, growth: 9 });
  const { medians, ratios } = summarize([run(90), run(9), run(45)], [run(100), run(10), run(50)]);
  expect(medians.rate).toBe(45);
  expect(ratios?.rate?.pairs).toEqual([0.9, 0.9, 0.9]);
  expect(ratios?.rate?.median).toBe(0.9);
  expect(ratios?.p50).toBeUndefined();
});
