/** Tables, and what became of the targets. */

import type { ScenarioResult } from './measure.js';
import { type Subject, targets } from './scenarios.js';
import type { Quantity, Ratio, Summary } from './statistics.js';

export interface BrokerResult {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly scenarios: ReadonlyMap<string, ScenarioResult>;
}

/** One target on one broker in one scenario. */
export interface Verdict {
  readonly broker: string;
  readonly scenario: string;
  readonly subject: Subject;
  readonly quantity: Quantity;
  readonly wanted: string;
  readonly ratio: number;
  readonly met: boolean;
}

export function verdictsOf(brokers: readonly BrokerResult[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const { id: broker, scenarios } of brokers) {
    for (const [scenario, result] of scenarios) {
      for (const subject of ['commlib', 'commlib+zod'] as const) {
        const ratios = result.get(subject)?.ratios;
        // With one call in flight the rate is the latency said otherwise.
        const latency = ratios?.p50 !== undefined;
        const ratio = (latency ? ratios.p50 : ratios?.rate)?.median;
        if (ratio === undefined) continue;
        const quantity = latency ? 'p50' : 'rate';
        const limit = targets[quantity][subject];
        const met = latency ? ratio <= limit : ratio >= limit;
        const wanted = `${latency ? '≤' : '≥'} ${limit.toFixed(2)}`;
        verdicts.push({ broker, scenario, subject, quantity, wanted, ratio, met });
      }
    }
  }
  return verdicts;
}

/** The table of one broker: what was measured, and beside it the ratio to raw with the range of its pairs. */
export function tableOf(broker: BrokerResult): string {
  const rows: string[][] = [
    [
      'scenario',
      'subject',
      'per second',
      'to raw',
      'CPU ms/1000',
      'to raw',
      'p50 ms',
      'to raw',
      'p99 ms',
      'to raw',
    ],
  ];
  for (const [scenario, result] of broker.scenarios) {
    let first = scenario;
    for (const [subject, { medians, ratios }] of result) {
      rows.push([
        first,
        subject,
        number(medians.rate, 0),
        ratio(ratios?.rate),
        number(medians.cpu, 1),
        ratio(ratios?.cpu),
        number(medians.p50, 3),
        ratio(ratios?.p50),
        number(medians.p99, 3),
        ratio(ratios?.p99),
      ]);
      first = '';
    }
  }
  return `\nMosquitto ${broker.version}: ${broker.title}\n\n${aligned(rows)}\n`;
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    verdict.met ? 'met' : 'MISSED',
    verdict.broker,
    verdict.scenario,
    verdict.subject,
    verdict.quantity,
    verdict.ratio.toFixed(3),
    verdict.wanted,
  ]);
  return aligned([['target', 'broker', 'scenario', 'subject', 'what', 'median ratio', 'wanted'], ...rows]);
}

/** Plain objects for `--json`. */
export function jsonOf(brokers: readonly BrokerResult[]): unknown {
  return brokers.map(({ scenarios, ...broker }) => ({
    ...broker,
    scenarios: Object.fromEntries(
      [...scenarios].map(([id, result]) => [id, Object.fromEntries<Summary>(result)]),
    ),
  }));
}

function number(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toFixed(digits);
}

function ratio(value: Ratio | undefined): string {
  if (value === undefined) return '-';
  const range = `${Math.min(...value.pairs).toFixed(2)}–${Math.max(...value.pairs).toFixed(2)}`;
  return `${value.median.toFixed(2)} (${range})`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  return lines.join('\n');
}
