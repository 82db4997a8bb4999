import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { programOf, run } from './commands.js';
import { blocksOf, root } from './markdown.js';
import { plain } from './output.js';
import { guides } from './pages.js';
import { openPage } from './run-page.js';
import { runsThrough } from './runs-through.js';

describe('the programs of README.md print what it says', async () => {
  runsThrough('README.md', await openPage('README.md'));
});

const programs = guides()
  .filter((page) => page.startsWith('packages/'))
  .flatMap((page) => blocksOf(page).filter(({ language, info }) => language === 'ts' && info !== ''));

/** What a program says in comments that it prints: `console.log(sum); // 3`. */
function promised(text: string): string {
  return [...text.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map((match) => match[1]).join('\n');
}

test.each(programs.map((program) => [program.where, program] as const))(
  '%s prints what its comments say',
  async (_where, { info, text }) => {
    const parent = join(root, '.cache/docs');
    await mkdir(parent, { recursive: true });
    const folder = await mkdtemp(join(parent, 'readme-'));
    try {
      const file = join(folder, basename(info));
      await writeFile(file, text);
      const result = await run(`exec ${programOf('tsx')} ${file}`, folder);
      expect(promised(text)).not.toBe('');
      expect(plain(result.text)).toBe(promised(text));
      expect(result.code).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  90_000,
);

test('the packages have a README each', () => {
  const pages = guides().filter((page) => page.startsWith('packages/'));
  expect(pages.map((page) => page.split('/')[1])).toEqual(readdirSync(join(root, 'packages')).sort());
});
