/** What a run has shown, for people. */
import { tableText } from '../table.js';
import type { LossResult } from './loss.js';

/** One line of the table. */
export interface LossRow extends LossResult {
  readonly name: string;
}

/** Why a run broke its promise; empty when it kept it. */
export function breaches(result: LossResult): string[] {
  const found: string[] = [...result.problems];
  if (result.missing > 0) {
    found.push(`${result.missing} messages are missing, the first of them ${result.firstMissing.join(', ')}`);
  }
  return found;
}

/** The table. */
export function tableOf(rows: readonly LossRow[]): string {
  const header = [
    'at least once',
    'messages',
    'broker ended',
    'links cut',
    'missing',
    'twice',
    'rejected',
    'reconnects',
    'longest gap',
    'seconds',
  ];
  return tableText([
    header,
    ...rows.map((row) => [
      row.name,
      String(row.messages),
      `${row.restarts} × ${row.signal}`,
      String(row.cuts),
      String(row.missing),
      String(row.duplicates),
      Object.entries(row.rejected)
        .map(([code, n]) => `${n} ${code}`)
        .join(', ') || '0',
      `${row.reconnects.near} + ${row.reconnects.far}`,
      `${(row.longestGapMs / 1_000).toFixed(1)} s`,
      (row.durationMs / 1_000).toFixed(1),
    ]),
  ]);
}
