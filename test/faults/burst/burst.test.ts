/** Every call of a burst gets its own answer, or fails with a typed error: the small size. `npm run soak` runs the full one. */
import { expect, test } from 'vitest';
import { describeOn } from '../../brokers/index.js';
import { SMALL, scenarios } from './scenarios.js';

describeOn(
  'mosquitto',
  () => {
    test.each(scenarios)(
      `${SMALL.calls} calls, ${SMALL.inFlight} in flight: $name`,
      async ({ run, mayFail, losses }) => {
        const result = await run(SMALL);
        const failures = Object.values(result.failed).reduce((sum, n) => sum + n, 0);
        expect(result).toMatchObject({ wrong: 0, untyped: 0, executedTwice: 0, pending: 0, warnings: [] });
        expect(result.answered + failures).toBe(SMALL.calls);
        expect(mayFail).toEqual(expect.arrayContaining(Object.keys(result.failed)));
        expect(result.reconnects).toBe(losses);
        // Most calls have nothing to do with the losses.
        expect(result.answered).toBeGreaterThanOrEqual(SMALL.calls - (losses + 1) * SMALL.inFlight);
      },
      60_000,
    );
  },
  { own: true },
);
