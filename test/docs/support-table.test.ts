import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { root } from './markdown.js';
import { longTable, reasonless, shortTable, unmentioned } from './support-table.js';

const begin =
  '<!-- support table: written by COMMLIB_UPDATE_DOCS=1 npx vitest run test/docs/support-table.test.ts -->';
const end = '<!-- end of the support table -->';

test.each([
  ['README.md', shortTable],
  ['docs/support.md', longTable],
])('the table of %s says what the transports say', (page, make) => {
  const path = `${root}/${page}`;
  const text = readFileSync(path, 'utf8');
  const [before, rest] = text.split(begin);
  const [old, after] = (rest ?? '').split(end);
  expect(after, `${page} has the marks of the table`).toBeDefined();
  const now = `\n\n${make()}\n\n`;
  if (process.env.COMMLIB_UPDATE_DOCS === '1' && old !== now)
    writeFileSync(path, `${before}${begin}${now}${end}${after}`);
  else expect(old, 'COMMLIB_UPDATE_DOCS=1 writes it anew').toBe(now);
});

test('every capability has a row, and every no has a reason', () => {
  expect(unmentioned()).toEqual([]);
  expect(reasonless()).toEqual([]);
});
