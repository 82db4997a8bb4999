import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { propertyIds } from '@commlib/conformance';
import { afterAll, expect, test } from 'vitest';
import { programOf, run } from '../docs/commands.js';
import { blocksOf, root } from '../docs/markdown.js';
import { plain } from '../docs/output.js';

const folder = join(root, '.cache/docs/conformance');
afterAll(() => rm(folder, { recursive: true, force: true }));

const blocks = blocksOf('packages/conformance/README.md');
const programs = blocks.filter(({ language }) => language === 'ts');
const commands = blocks.filter(({ language }) => language === 'sh');

// On the built packages, as a reader's.
test.each([0, 1])(
  'program %i of the kit’s README proves a transport with the command below it',
  async (i) => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    // Else vitest would take the settings of the repository.
    await writeFile(join(folder, 'vitest.config.js'), 'export default {};\n');
    await writeFile(join(folder, 'transport.test.ts'), programs[i]?.text ?? '');
    const command = (commands[i]?.text ?? '').replaceAll(/\bnpx (\S+)/g, (_, name: string) =>
      programOf(name),
    );
    const { code, text } = await run(command, folder);
    expect(plain(text)).toMatch(
      new RegExp(`(tests|Tests) +(${propertyIds.length})\\b|pass ${propertyIds.length}`),
    );
    expect(code).toBe(0);
  },
  90_000,
);
