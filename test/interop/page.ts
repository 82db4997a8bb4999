import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { TableOfVersions } from './table.js';

const page = fileURLToPath(new URL('../../docs/interop.md', import.meta.url));

/**
 * Holds the table of a transport against `docs/interop.md`, or with `COMMLIB_UPDATE_DOCS=1` writes it there. A table of
 * which a part was not run (a version that could not be installed) is not compared: nothing is known then.
 */
export function checkTable(title: string, table: TableOfVersions): void {
  if (!table.complete) return;
  const begin = `<!-- ${title}: written by COMMLIB_UPDATE_DOCS=1 npx vitest run test/interop -->`;
  const end = `<!-- end of ${title} -->`;
  const text = readFileSync(page, 'utf8');
  const [before, rest] = text.split(begin);
  const [old, after] = (rest ?? '').split(end);
  expect(after, `docs/interop.md has the marks of ${title}`).toBeDefined();
  const now = `\n\n${table.markdown()}\n\n`;
  if (process.env.COMMLIB_UPDATE_DOCS === '1' && old !== now)
    writeFileSync(page, `${before}${begin}${now}${end}${after}`);
  else expect(old, 'COMMLIB_UPDATE_DOCS=1 writes it anew').toBe(now);
}
