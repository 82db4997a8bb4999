import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchorsOf, linksOf, root } from './markdown.js';
import { allPages } from './pages.js';

/** Written by `npm run docs`, not kept in git. */
const generated = /^docs\/reference\//;

/** Pages that are still being written; a link to them may be dead. */
const awaited = new Set(['docs/cli.md', 'docs/benchmarks.md', 'docs/transports/mqtt.md']);

describe('every link of the documentation leads somewhere', () => {
  test.each(allPages())('%s', (page) => {
    const dead = linksOf(page).filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)));
      if (generated.test(file)) return false;
      if (!existsSync(join(root, file))) return !awaited.has(file);
      return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).has(anchor);
    });
    expect(dead).toEqual([]);
  });
});
