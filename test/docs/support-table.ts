/** The support table of README.md and docs/support.md, made from what the transports say of themselves. */
import { type Capabilities, has, memory } from '@commlib/core';
import { amqp } from '@commlib/transport-amqp';
import { kafka } from '@commlib/transport-kafka';
import { mqtt } from '@commlib/transport-mqtt';
import { redis } from '@commlib/transport-redis';

/** A column: a transport as it is before it has met a broker. */
const columns: readonly { readonly title: string; readonly capabilities: Capabilities }[] = [
  { title: 'MQTT 5', capabilities: mqtt('mqtt://broker', { version: 5 }).capabilities },
  { title: 'MQTT 3.1.1', capabilities: mqtt('mqtt://broker', { version: 4 }).capabilities },
  { title: 'AMQP', capabilities: amqp('amqp://broker').capabilities },
  { title: 'Redis', capabilities: redis('redis://broker').capabilities },
  { title: 'Kafka', capabilities: kafka('kafka://broker').capabilities },
  { title: 'in memory', capabilities: memory().capabilities },
];

/** Rows, in the words of a user. */
const rows: readonly { readonly key: keyof Capabilities; readonly title: string }[] = [
  { key: 'wildcards', title: 'subscribe with `+` and `#`' },
  { key: 'durableWildcards', title: 'the same at least once' },
  { key: 'retained', title: 'retained messages' },
  { key: 'headers', title: 'headers beside the payload' },
  { key: 'expiry', title: 'expiry per message' },
  { key: 'groups', title: 'groups that share messages' },
  { key: 'durableGroups', title: 'the same at least once, over several programs' },
  { key: 'atLeastOnce', title: 'at-least-once, acknowledged after the handler' },
  { key: 'redelivery', title: 'a refused message comes again' },
  { key: 'attempts', title: 'count of deliveries' },
  { key: 'mandatory', title: 'the broker tells when nobody takes a message' },
  { key: 'keys', title: 'ordering key' },
  { key: 'replay', title: 'reading what was sent before' },
  { key: 'serveModes', title: 'services of one name' },
];

const modes: Readonly<Record<string, string>> = {
  all: 'all get a request',
  compete: 'one gets it',
  exclusive: 'only one may serve',
};

function cell(value: unknown, reason: (why: string) => string): string {
  if (Array.isArray(value) && value.every((mode: unknown) => typeof mode === 'string' && mode in modes))
    return value.map((mode: string) => modes[mode]).join(', or ');
  if (Array.isArray(value))
    return value.length === 2 ? 'yes' : `${value.join(', ').replaceAll('-', ' ')} only`;
  if (value === true || value === 'native') return 'yes';
  if (value === 'emulated') return 'yes, by this library';
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null && 'missing' in value) return reason(String(value.missing));
  throw new Error(`the table has no word for ${JSON.stringify(value)}`);
}

/** With the columns padded, as the formatter wants tables. */
function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(header), rule, ...lines.map(line)].join('\n');
}

/** Yes or no, in one look. */
export function shortTable(): string {
  const lines = rows.map(({ key, title }) => [
    title,
    ...columns.map(({ capabilities }) => cell(capabilities[key], () => 'no')),
  ]);
  return table(['', ...columns.map(({ title }) => title)], lines);
}

/** With the reason for every no. */
export function longTable(): string {
  const lines = rows.map(({ key, title }) => [
    title,
    ...columns.map(({ capabilities }) => cell(capabilities[key], (why) => `no: ${why}`)),
  ]);
  return table(['', ...columns.map(({ title }) => title)], lines);
}

/** What every transport must have a word for. */
export function unmentioned(): string[] {
  const internal = ['exactFilters', 'correlation', 'failureData', 'rawBodies'];
  const all = new Set(columns.flatMap(({ capabilities }) => Object.keys(capabilities)));
  return [...all].filter((key) => !internal.includes(key) && !rows.some((row) => row.key === key));
}

/** A no without a reason would be a fault of the transport. */
export function reasonless(): string[] {
  return columns.flatMap(({ title, capabilities }) =>
    rows
      .filter(({ key }) => {
        const value = capabilities[key];
        return value === false || (typeof value === 'object' && !has(value) && value.missing.trim() === '');
      })
      .map(({ key }) => `${title}: ${key}`),
  );
}
