/** Ten thousand subscriptions on one connection: a message costs about what it costs with ten. `npm run soak` prints the figures. */
import { expect, test } from 'vitest';
import { describeOn } from '../../brokers/index.js';
import { oneOfEach } from '../stages/index.js';
import { breaches, type ScaleRow } from './report.js';
import { runMatching, runScale } from './scale.js';

const MESSAGES = 1_000;

test('the matching of core', () => {
  const rows = [10, 10_000].map((size): ScaleRow => ({ name: 'core', ...runMatching(size, 100_000) }));
  expect(breaches(rows)).toEqual([]);
});

for (const kind of oneOfEach) {
  describeOn(
    kind.broker,
    () => {
      test(kind.name, async () => {
        await using stage = await kind.start();
        const rows: ScaleRow[] = [];
        // A queue for each: RabbitMQ takes its time to make ten thousand.
        for (const size of [10, kind.protocol === 'amqp' ? 2_000 : 10_000]) {
          rows.push({ name: kind.name, ...(await runScale(stage, size, MESSAGES)) });
        }
        expect(breaches(rows)).toEqual([]);
      }, 180_000);
    },
    { own: true },
  );
}
