import { expect, test } from 'vitest';
import { markdownOf } from './markdown.js';
import { summarize, type Values } from './statistics.js';

test('ratios of each broker, then durations and memory of all', () => {
  const run = (rate: number, p50?: number): Values => ({
    rate,
    cpu: 250_000 / rate,
    p50,
    p99: p50 && p50 * 2,
    memory: 100,
    growth: 9,
  });
  const raw = [run(25_000, 0.25)];
  const scenarios = new Map([
    [
      'rpc-1',
      new Map([
        ['raw' as const, summarize(raw, undefined)],
        ['commlib' as const, summarize([run(50_000, 0.125)], raw)],
      ]),
    ],
  ]);
  const text = markdownOf([{ id: 'redis', transport: 'redis', title: '', version: '7.0.15', scenarios }]);
  expect(text).toContain('### Redis 7.0.15\n');
  expect(text).toMatch(/\| rpc-1 \| +25,000 \| +2\.00 \| +10\.0 \| +0\.50 \|/);
  expect(text).toMatch(/\| redis rpc-1 \| +0\.25 \/ 0\.50 \| +0\.13 \/ 0\.25 \|/);
  expect(text).toMatch(/\| redis \| +100 \| +100 \|/);
});
