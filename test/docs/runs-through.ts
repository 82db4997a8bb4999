import { afterAll, expect, test } from 'vitest';
import { blocksOf } from './markdown.js';
import type { PageRun } from './run-page.js';

/**
 * Every step of a page as a test of its own; after a failure the others are not tried.
 *
 * @param besides Languages of blocks that are not run and have no file name, such as excerpts of configuration files.
 */
export function runsThrough(path: string, page: PageRun, besides: readonly string[] = []): void {
  let failed: string | undefined;
  afterAll(() => page.close());
  test.each(page.steps.map((step) => [step.title, step] as const))(
    '%s',
    async (title, step) => {
      if (failed !== undefined) expect.fail(`not tried, because this failed: ${failed}`);
      failed = title;
      await step.run();
      failed = undefined;
    },
    120_000,
  );

  test(`every block of ${path} is either run, output, or left out with a reason`, () => {
    const idle = blocksOf(path).filter(
      ({ language, info }) => info === '' && !['sh', 'text', ...besides].includes(language),
    );
    expect(idle.map(({ where }) => where)).toEqual([]);
  });
}
