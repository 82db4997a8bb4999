import { tableText } from '../table.js';
import type { ScaleResult } from './scale.js';

/** One line of the table. */
export interface ScaleRow extends ScaleResult {
  readonly name: string;
}

/**
 * A thousand times the subscriptions may cost a message so many times the time. Looking at each of them would make it
 * hundreds; more memory than the caches hold makes it one and a half.
 */
export const MAX_GROWTH = 5;

/** Why the promise was broken; empty when it was kept. The rows are one transport's, smallest first. */
export function breaches(rows: readonly ScaleRow[]): string[] {
  const [first] = rows;
  return rows.flatMap((row) => {
    const found: string[] = [];
    if (row.wrong > 0)
      found.push(`${row.name}, ${row.subscriptions}: ${row.wrong} deliveries too many, too few or wrong`);
    if (first && row.cpuUs > first.cpuUs * MAX_GROWTH) {
      const times = (row.cpuUs / first.cpuUs).toFixed(1);
      found.push(
        `${row.name}: a message costs ${times} times as much with ${row.subscriptions} subscriptions`,
      );
    }
    return found;
  });
}

/** The table. */
export function tableOf(rows: readonly ScaleRow[]): string {
  return tableText([
    ['subscriptions', 'number', 'messages', 'CPU per message', 'opened in'],
    ...rows.map((row) => [
      row.name,
      String(row.subscriptions),
      String(row.messages),
      `${row.cpuUs.toFixed(2)} µs`,
      `${(row.openMs / 1_000).toFixed(1)} s`,
    ]),
  ]);
}
