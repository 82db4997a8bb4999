import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { propertyIds } from '@commlib/conformance';
import { expect, test } from 'vitest';
import { report } from './report.js';
import { readColumns } from './results.js';

const path = fileURLToPath(new URL('../../docs/conformance.md', import.meta.url));

test('docs/conformance.md shows what the runs recorded', () => {
  const now = report(readColumns(), propertyIds);
  if (process.env.COMMLIB_UPDATE_DOCS === '1') writeFileSync(path, now);
  else expect(readFileSync(path, 'utf8'), 'COMMLIB_UPDATE_DOCS=1 writes it anew').toBe(now);
});

test('every property passes or is off with a reason, on every transport', () => {
  for (const { title, properties } of readColumns()) {
    expect(Object.keys(properties).sort(), title).toEqual([...propertyIds].sort());
    for (const [id, { off }] of Object.entries(properties))
      if (off !== undefined) expect(off.trim(), id).not.toBe('');
  }
});

test('no property is off everywhere', () => {
  const columns = readColumns();
  const nowhere = propertyIds.filter((id) =>
    columns.every(({ properties }) => properties[id]?.off !== undefined),
  );
  expect(nowhere).toEqual([]);
});
