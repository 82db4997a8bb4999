/** From the runs of all subjects to medians and to ratios of neighbouring runs. */
import type { Measured } from './load.js';

/** What is compared; of all but the rate, less is better. */
export const quantities = ['rate', 'cpu', 'p50', 'p99', 'memory', 'growth'] as const;
export type Quantity = (typeof quantities)[number];

/** Per second; seconds of CPU per 100 000; milliseconds; milliseconds; MiB of resident memory, and how much of it the load took. */
export type Values = Readonly<Record<Quantity, number | undefined>>;

export function valuesOf({ count, seconds, cpuSeconds, ...measured }: Measured): Values {
  const { p50, p99, memory, growth } = measured;
  return { rate: count / seconds, cpu: (cpuSeconds / count) * 100_000, p50, p99, memory, growth };
}

/** The ratios of the pairs, in the order they were run, and their median. */
export interface Ratio {
  readonly pairs: readonly number[];
  readonly median: number;
}

export interface Summary {
  readonly medians: Values;
  /** To `raw`, pair by pair; absent for `raw` itself. */
  readonly ratios: Readonly<Record<Quantity, Ratio | undefined>> | undefined;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The n-th run of a subject makes a pair with the n-th of `raw`: they ran next to each other. */
export function summarize(runs: readonly Values[], raw: readonly Values[] | undefined): Summary {
  const medians = each((quantity) => {
    const known = runs.map((values) => values[quantity]).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : median(known);
  });
  if (raw === undefined) return { medians, ratios: undefined };
  const ratios = each((quantity): Ratio | undefined => {
    const pairs: number[] = [];
    for (const [i, values] of runs.entries()) {
      const ours = values[quantity];
      const theirs = raw[i]?.[quantity];
      if (ours !== undefined && theirs !== undefined) pairs.push(ours / theirs);
    }
    return pairs.length === 0 ? undefined : { pairs, median: median(pairs) };
  });
  return { medians, ratios };
}

function each<T>(make: (quantity: Quantity) => T): Record<Quantity, T> {
  return {
    rate: make('rate'),
    cpu: make('cpu'),
    p50: make('p50'),
    p99: make('p99'),
    memory: make('memory'),
    growth: make('growth'),
  };
}
