/** Tables, and what became of the targets. */

import type { ScenarioResult } from './measure.js';
import { type Subject, type Transport, targets, unpipelinedTarget } from './scenarios.js';
import { median, type Quantity, type Ratio, type Summary } from './statistics.js';

export interface BrokerResult {
  /** `tuned` and `default` of MQTT, otherwise the transport's name. */
  readonly id: string;
  readonly transport: Transport;
  readonly title: string;
  readonly version: string;
  readonly scenarios: ReadonlyMap<string, ScenarioResult>;
}

/** One target on one broker in one scenario. */
export interface Verdict {
  readonly transport: Transport;
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
  for (const { id: broker, transport, scenarios } of brokers) {
    for (const [scenario, result] of scenarios) {
      // With one call in flight the rate is the latency said otherwise.
      const quantity = scenario === 'rpc-1' ? 'p50' : 'rate';
      for (const subject of ['commlib', 'commlib+zod'] as const) {
        const ratio = result.get(subject)?.ratios?.[quantity]?.median;
        if (ratio === undefined) continue;
        const limit = targets[quantity][subject];
        const met = quantity === 'p50' ? ratio <= limit : ratio >= limit;
        const wanted = `${quantity === 'p50' ? '≤' : '≥'} ${limit.toFixed(2)}`;
        verdicts.push({ transport, broker, scenario, subject, quantity, wanted, ratio, met });
      }
      const unpipelined = scenario === 'rpc-64' ? againstUnpipelined(result) : undefined;
      if (unpipelined !== undefined) {
        verdicts.push({
          transport,
          broker,
          scenario,
          subject: 'commlib',
          quantity: 'rate',
          wanted: `≥ ${unpipelinedTarget.toFixed(2)} × raw-unpipelined`,
          ratio: unpipelined,
          met: unpipelined >= unpipelinedTarget,
        });
      }
    }
  }
  return verdicts;
}

/** Redis: this library beside one command at a time, pair by pair. */
function againstUnpipelined(result: ScenarioResult): number | undefined {
  const ours = result.get('commlib')?.ratios?.rate?.pairs;
  const plain = result.get('raw-unpipelined')?.ratios?.rate?.pairs;
  if (ours === undefined || plain === undefined) return undefined;
  return median(ours.map((ratio, i) => ratio / (plain[i] ?? Number.NaN)));
}

const NAMES: Readonly<Record<Transport, string>> = {
  mqtt: 'Mosquitto',
  amqp: 'RabbitMQ',
  redis: 'Redis',
  kafka: 'Kafka',
};

/** The table of one broker: what was measured, and beside it the ratio to raw with the range of its pairs. */
export function tableOf(broker: BrokerResult): string {
  const rows: string[][] = [
    [
      'scenario',
      'subject',
      'per second',
      'to raw',
      'CPU s/100,000',
      'to raw',
      'p50 ms',
      'to raw',
      'p99 ms',
      'to raw',
      'memory MiB',
      'under load',
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
        number(medians.cpu, 2),
        ratio(ratios?.cpu),
        number(medians.p50, 3),
        ratio(ratios?.p50),
        number(medians.p99, 3),
        ratio(ratios?.p99),
        number(medians.memory, 0),
        `+${number(Math.max(0, medians.growth ?? 0), 0)}`,
      ]);
      first = '';
    }
  }
  return `\n${NAMES[broker.transport]} ${broker.version}: ${broker.title}\n\n${aligned(rows)}\n`;
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => [
    verdict.met ? 'met' : 'MISSED',
    verdict.transport === verdict.broker ? verdict.broker : `${verdict.transport} (${verdict.broker})`,
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
