/** What a burst has shown, for people. */
import { tableText } from '../table.js';
import type { BurstResult } from './burst.js';

/** One line of the table. */
export interface BurstRow extends BurstResult {
  readonly name: string;
}

/** Why a burst broke its promise; empty when it kept it. */
export function breaches(result: BurstResult): string[] {
  const failures = Object.values(result.failed).reduce((sum, n) => sum + n, 0);
  const found: string[] = [];
  if (result.wrong > 0) found.push(`${result.wrong} calls got the answer of another`);
  if (result.untyped > 0) found.push(`${result.untyped} calls failed with an error of no type`);
  if (result.executedTwice > 0) found.push(`${result.executedTwice} requests were executed more than once`);
  if (result.pending > 0) found.push(`${result.pending} calls never settled`);
  found.push(...result.warnings);
  if (result.answered + failures + result.wrong !== result.calls) found.push('the numbers do not add up');
  return found;
}

/** The table. */
export function tableOf(rows: readonly BurstRow[]): string {
  const header = [
    'burst',
    'calls',
    'answered',
    'failed',
    'wrong',
    'twice',
    'late, dropped',
    'reconnects',
    'seconds',
  ];
  const lines = rows.map((row) => [
    row.name,
    String(row.calls),
    String(row.answered),
    failuresOf(row),
    String(row.wrong),
    String(row.executedTwice),
    String(row.late),
    String(row.reconnects),
    (row.durationMs / 1_000).toFixed(1),
  ]);
  return tableText([header, ...lines]);
}

function failuresOf({ failed }: BurstResult): string {
  const entries = Object.entries(failed);
  return entries.length === 0 ? '0' : entries.map(([code, n]) => `${n} ${code}`).join(', ');
}
