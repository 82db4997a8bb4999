/** A column of the report: the kit, run on one transport and broker as often as there are ways to reach it. */
import { describeTransport, type Result, type TestBench } from '@commlib/conformance';
import type { Capabilities } from '@commlib/core';
import { describe, expect, test } from 'vitest';
import { columnOf, readColumn, without, writeColumn } from './results.js';
import type { Quality } from './tcp-bench.js';

/** What is run, and where its results stand in the report. */
export interface Run {
  /** The heading of its column. */
  readonly column: string;
  readonly place: number;
  readonly capabilities: Capabilities;
  /** Each is one pass of the whole kit. */
  readonly qualities: readonly Quality[];
  readonly create: (quality: Quality) => Promise<TestBench>;
  /** See the kit's option. */
  readonly brokerFaults?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly concurrency?: number;
}

/**
 * Runs the kit, and then compares what it found with what is published in `docs/conformance.md`.
 * `COMMLIB_UPDATE_DOCS=1` records it instead.
 */
export function conforms({ column, place, qualities, create, ...options }: Run): void {
  const runs = qualities.map((quality) => {
    const results: Result[] = [];
    const way = quality === 'direct' ? '' : ', through a proxy that delays and cuts up everything';
    describeTransport({
      ...options,
      name: `${column}${way}`,
      runner: { describe, test },
      create: () => create(quality),
      onResult: (result) => results.push(result),
    });
    return results;
  });
  test(`the published report says of ${column} what this run found`, () => {
    const order = (results: readonly Result[]) => [...results].sort((a, b) => a.id.localeCompare(b.id));
    // What failed has said so itself, and is not counted a second time.
    const failed = new Set(runs.flat().flatMap(({ id, outcome }) => (outcome === 'fail' ? [id] : [])));
    const found = columnOf(column, place, runs.map(order));
    if (process.env.COMMLIB_UPDATE_DOCS === '1') writeColumn(found);
    else {
      const published = without(readColumn(column), failed);
      expect(published, 'COMMLIB_UPDATE_DOCS=1 records it anew').toEqual(found);
    }
  });
}
