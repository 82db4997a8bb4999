/** What the last recorded runs found, one file per column of the report; and the comparing of a run with it. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Result } from '@commlib/conformance';

const folder = fileURLToPath(new URL('results', import.meta.url));

/** A column: property → `pass`, or why it is off. */
export interface Column {
  readonly title: string;
  /** Its place from the left. */
  readonly place: number;
  readonly properties: Readonly<Record<string, { readonly promise: string; readonly off?: string }>>;
}

/** What a run says of a transport: what is off must be off in every pass, and what failed is not told at all. */
export function columnOf(title: string, place: number, runs: readonly (readonly Result[])[]): Column {
  const properties: Record<string, { promise: string; off?: string }> = {};
  for (const result of runs[0] ?? []) {
    const all = runs.map((run) => run.find(({ id }) => id === result.id));
    if (all.some((one) => one === undefined || one.outcome === 'fail')) continue;
    const off = all.flatMap((one) => (one?.outcome === 'off' ? [one.reason] : []));
    properties[result.id] =
      off[0] === undefined ? { promise: result.promise } : { promise: result.promise, off: off[0] };
  }
  return { title, place, properties };
}

const fileOf = (title: string) => join(folder, `${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`);

export function readColumn(title: string): Column | undefined {
  try {
    // Written by this very module.
    return JSON.parse(readFileSync(fileOf(title), 'utf8'));
  } catch {
    return undefined;
  }
}

/** All of a column but these properties. */
export function without(column: Column | undefined, ids: ReadonlySet<string>): Column | undefined {
  if (column === undefined) return undefined;
  const properties = Object.entries(column.properties).filter(([id]) => !ids.has(id));
  return { ...column, properties: Object.fromEntries(properties) };
}

export function writeColumn(column: Column): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(column.title), `${JSON.stringify(column, undefined, 2)}\n`);
}

export function readColumns(): Column[] {
  const columns = readdirSync(folder).map(
    // Written by this very module.
    (file): Column => JSON.parse(readFileSync(join(folder, file), 'utf8')),
  );
  return columns.sort((a, b) => a.place - b.place);
}
