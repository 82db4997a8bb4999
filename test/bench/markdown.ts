/** `--markdown`: the tables of `docs/benchmarks.md`, medians alone. */
import type { BrokerResult } from './report.js';
import { type Subject, subjects, type Transport } from './scenarios.js';
import type { Quantity } from './statistics.js';

const TITLES: Readonly<Record<Transport, string>> = {
  mqtt: 'MQTT, Mosquitto',
  amqp: 'AMQP, RabbitMQ',
  redis: 'Redis',
  kafka: 'Kafka',
};

/** Per broker the ratios to raw; then the durations of calls, and the memory, of all. */
export function markdownOf(brokers: readonly BrokerResult[]): string {
  const shown = subjects.filter((subject) => brokers.some((broker) => measured(broker).has(subject)));
  const others = shown.filter((subject) => subject !== 'raw');
  const sections = brokers.map((broker) => {
    const here = others.filter((subject) => measured(broker).has(subject));
    const ratios = (scenario: string, quantity: Quantity) =>
      here.map((subject) => figure(broker.scenarios.get(scenario)?.get(subject)?.ratios?.[quantity]?.median));
    const rows = [...broker.scenarios].map(([scenario, result]) => [
      scenario,
      figure(result.get('raw')?.medians.rate),
      ...ratios(scenario, 'rate'),
      figure(result.get('raw')?.medians.cpu),
      ...ratios(scenario, 'cpu'),
    ]);
    const head = ['', 'raw, per second', ...here, 'raw, CPU s/100,000', ...here];
    return `### ${nameOf(broker)}\n\n${table(head, rows)}`;
  });

  const durations = brokers.flatMap((broker) =>
    [...broker.scenarios]
      .filter(([scenario]) => scenario.startsWith('rpc-'))
      .map(([scenario, result]) => [
        `${broker.id} ${scenario}`,
        ...shown.map((subject) => {
          const { p50, p99 } = result.get(subject)?.medians ?? {};
          return p50 === undefined ? '–' : `${figure(p50)} / ${figure(p99)}`;
        }),
      ]),
  );
  sections.push(`### Duration of a call, p50 / p99 in milliseconds\n\n${table(['', ...shown], durations)}`);

  const memory = brokers.map((broker) => [
    broker.id,
    ...shown.map((subject) => {
      const peaks = [...broker.scenarios.values()].map((result) => result.get(subject)?.medians.memory ?? 0);
      const most = Math.max(0, ...peaks);
      return most === 0 ? '–' : most.toFixed(0);
    }),
  ]);
  sections.push(`### Memory, the most in any scenario, in MiB\n\n${table(['', ...shown], memory)}`);
  return sections.join('\n\n');
}

function nameOf({ transport, version, id }: BrokerResult): string {
  return `${TITLES[transport]} ${version}${id === transport ? '' : `, ${id}`}`;
}

function measured({ scenarios }: BrokerResult): ReadonlySet<Subject> {
  return new Set([...scenarios.values()].flatMap((result) => [...result.keys()]));
}

/** Three digits. */
function figure(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
