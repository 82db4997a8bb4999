/** Every call of a burst gets its own answer, or fails with a typed error: the small size. `npm run soak` runs the full one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn } from '../../brokers/index.js';
import { oneOfEach, type Stage } from '../stages/index.js';
import { SMALL, scenarios } from './scenarios.js';

for (const kind of oneOfEach) {
  describeOn(
    kind.broker,
    () => {
      let stage: Stage;
      beforeAll(async () => {
        stage = await kind.start();
      });
      afterAll(() => stage?.[Symbol.asyncDispose]());

      test.each(scenarios)(
        `${kind.name}, ${SMALL.calls} calls, ${SMALL.inFlight} in flight: $name`,
        async ({ run, mayFail, losses, orMore }) => {
          const result = await run(stage, SMALL);
          const failures = Object.values(result.failed).reduce((sum, n) => sum + n, 0);
          expect(result).toMatchObject({ wrong: 0, untyped: 0, executedTwice: 0, pending: 0, warnings: [] });
          expect(result.answered + failures).toBe(SMALL.calls);
          expect(mayFail).toEqual(expect.arrayContaining(Object.keys(result.failed)));
          if (orMore) expect(result.reconnects).toBeGreaterThanOrEqual(losses);
          else expect(result.reconnects).toBe(losses);
          // Most calls have nothing to do with the losses.
          expect(result.answered).toBeGreaterThanOrEqual(
            SMALL.calls - (result.reconnects + 1) * SMALL.inFlight,
          );
        },
        90_000,
      );
    },
    { own: true },
  );
}
