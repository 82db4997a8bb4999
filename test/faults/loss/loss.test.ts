/** Nothing that a broker has confirmed is lost, whatever ends: the small size. `npm run soak` runs the full one. */
import { expect, test } from 'vitest';
import { describeOn } from '../../brokers/index.js';
import { runLoss } from './loss.js';
import { marksOf, SMALL } from './plan.js';
import { breaches } from './report.js';
import { lossless } from './scenarios.js';

for (const { name, stage: kind, signal, onlySoak } of lossless) {
  if (onlySoak) continue;
  describeOn(
    kind.broker,
    () => {
      test(`${name}: ${SMALL.messages} messages, ${SMALL.restarts} ends by ${signal}, ${SMALL.cuts} cuts`, async () => {
        await using stage = await kind.start();
        const result = await runLoss(stage, { ...SMALL, signal });
        expect(breaches(result)).toEqual([]);
        expect(result.missing).toBe(0);
        // It was disturbed: both sides have lost their connection, the cut ones and the restarted ones.
        expect(result.reconnects.near + result.reconnects.far).toBeGreaterThanOrEqual(SMALL.restarts);
      }, 180_000);
    },
    { own: true },
  );
}

test('the marks are spread evenly, the restarts among the cuts', () => {
  const marks = marksOf({ messages: 800, restarts: 2, cuts: 5, signal: 'SIGKILL' });
  expect(marks.map(({ at }) => at)).toEqual([100, 200, 300, 400, 500, 600, 700]);
  expect(marks.map(({ what }) => what[0]).join('')).toBe('cccrccr');
});
