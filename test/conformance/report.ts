/** `docs/conformance.md`, made from what the runs recorded. */
import type { Column } from './results.js';

const INTRODUCTION = `# What is proved of each transport

Every sentence of [the transport contract](contract.md) that a user could notice is a property with a test of its own. The kit
\`@commlib/conformance\` runs them all on every transport and broker, against real brokers: once directly, and once more through a
TCP proxy that delivers everything late, unevenly, and in small pieces. _pass_ means both. (In memory there is no TCP, and the MQTT ways
of AMQP are run directly only.) The Kafka of the run takes messages of 2 MiB: as it comes, it takes none of 1 MiB.

_off (n)_ is never a test that was left out. Either the transport lacks the capability, and the kit has shown that asking for it is
an \`UnsupportedError\` where there is something to ask for; or the broker itself breaks the promise, and the kit has shown that it
still does. The reasons are at the end. [The support table](support.md) tells the same by capability, and
[the kit's README](../packages/conformance/README.md) how to prove a transport of your own.

This page is written by the runs themselves, and every run compares itself with it.
`;

/** The headings of the parts, by the first word of the properties' ids. */
const PARTS: Readonly<Record<string, string>> = {
  connect: 'Connecting',
  names: 'Names and wildcards',
  wildcards: 'Names and wildcards',
  publish: 'Publishing',
  payload: 'Publishing',
  subscribe: 'Subscribing',
  headers: 'Message options',
  keys: 'Message options',
  retain: 'Message options',
  expiry: 'Message options',
  mandatory: 'Message options',
  replay: 'Message options',
  settle: 'At least once: settling',
  attempts: 'At least once: settling',
  group: 'Groups',
  retry: 'Attempts and dead letters',
  'dead-letter': 'Attempts and dead letters',
  rpc: 'Calls',
  inbox: 'Calls',
  serve: 'Services',
  respond: 'Services',
  loss: 'Losing the connection',
  offline: 'Losing the connection',
  close: 'Closing',
};

const partOf = (id: string): string => {
  const part = PARTS[id.split('.')[0] ?? ''];
  if (part === undefined) throw new Error(`the report has no heading for ${id}`);
  return part;
};

/** The page. Properties come in the order of the kit. */
export function report(columns: readonly Column[], order: readonly string[]): string {
  const reasons: string[] = [];
  const number = (reason: string) => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return reasons.indexOf(reason) + 1;
  };
  const cell = (column: Column, id: string) => {
    const found = column.properties[id];
    if (found === undefined) return '**fails**';
    return found.off === undefined ? 'pass' : `off (${number(found.off)})`;
  };
  const parts = [...new Set(Object.values(PARTS))].map((part) => {
    const ids = order.filter((id) => partOf(id) === part);
    const rows = ids.map((id) => {
      const promise = columns
        .map((column) => column.properties[id]?.promise)
        .find((text) => text !== undefined);
      return [
        `\`${id}\` ${(promise ?? '').replaceAll('|', '\\|')}`,
        ...columns.map((column) => cell(column, id)),
      ];
    });
    return `## ${part}\n\n${table(['', ...columns.map(({ title }) => title)], rows)}\n`;
  });
  const count = columns.length * order.length;
  const off = columns.flatMap((column) =>
    order.filter((id) => column.properties[id]?.off !== undefined),
  ).length;
  const sum = `${order.length} properties on ${columns.length} transports and brokers: ${count - off} cells pass, ${off} are off.\n`;
  const why = `## Why something is off\n\n${reasons.map((reason, i) => `${i + 1}. ${reason}`).join('\n')}\n`;
  return [INTRODUCTION, sum, ...parts, why].join('\n');
}

/** With the columns padded, as the formatter wants tables. */
function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(header), rule, ...lines.map(line)].join('\n');
}
