import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { programOf, run } from './commands.js';
import { blocksOf, root } from './markdown.js';
import { guides } from './pages.js';

const folder = join(root, '.cache/docs/types');
afterAll(() => rm(folder, { recursive: true, force: true }));

const settings = {
  extends: join(root, 'tsconfig.base.json'),
  compilerOptions: {
    composite: false,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    noEmit: true,
    lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.AsyncIterable'],
    types: ['node'],
    skipLibCheck: true,
  },
  include: ['**/*.ts'],
};

test('every TypeScript block of the documentation is a whole program that compiles', async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const blocks = guides().flatMap((page) => blocksOf(page).filter(({ language }) => language === 'ts'));
  for (const { where, info, text } of blocks) {
    // A folder per page: its files may import each other.
    const [page = '', line = ''] = where.split(':');
    const file = join(folder, page.replaceAll(/[/.]/g, '-'), info || `line-${line}.ts`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  expect(blocks.length).toBeGreaterThan(5);
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(settings));
  const { text } = await run(`exec ${programOf('tsc')} -p ${folder}`, folder);
  expect(text).toBe('');
}, 120_000);
