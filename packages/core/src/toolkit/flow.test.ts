import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Settlement } from '../transport.js';
import { Flow } from './flow.js';

/** A flow with everything it does written down. */
function recorded(maxInFlight: number) {
  const acknowledged: number[] = [];
  const delivered: { id: number; again: boolean; attempt: number; settle: (outcome: Settlement) => void }[] =
    [];
  const flow = new Flow<number>({
    maxInFlight,
    inOrder: true,
    deliver: (id, attempt, settle) => delivered.push({ id, again: attempt > 1, attempt, settle }),
  });
  const arrive = (id: number) => flow.arrived(id, () => acknowledged.push(id));
  return { flow, arrive, delivered, acknowledged };
}

describe('unsettled messages', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('acknowledged in the order of arrival, however they are settled, never before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.nat(), { maxLength: 60 }),
        (maxInFlight, choices) => {
          const { arrive, delivered, acknowledged } = recorded(maxInFlight);
          const total = 20;
          for (let id = 0; id < total; id++) arrive(id);
          const open = new Set<number>();
          let seen = 0;
          const settled = new Set<number>();
          const look = () => {
            for (; seen < delivered.length; seen++) open.add(seen);
          };
          look();
          for (const choice of [...choices, ...Array.from({ length: total }, () => 0)]) {
            expect(open.size).toBeLessThanOrEqual(maxInFlight);
            const at = [...open][choice % Math.max(1, open.size)];
            if (at === undefined) break;
            open.delete(at);
            const one = delivered[at];
            one?.settle('ack');
            one?.settle('nack'); // Only the first counts.
            if (one) settled.add(one.id);
            look();
            expect(acknowledged).toEqual(acknowledged.toSorted((a, b) => a - b));
            expect(acknowledged.every((id) => settled.has(id))).toBe(true);
          }
          expect(acknowledged).toEqual(Array.from({ length: total }, (_, id) => id));
        },
      ),
    );
  });

  test('a refused message is delivered again after its pause, and holds its acknowledgement back', () => {
    const { arrive, delivered, acknowledged } = recorded(2);
    arrive(1);
    arrive(2);
    arrive(3);
    delivered[0]?.settle({ retryInMs: 500 });
    // It keeps its place: of two at a time there is one left.
    expect(delivered.map((one) => one.id)).toEqual([1, 2]);
    delivered[1]?.settle('ack');
    expect(delivered.map((one) => one.id)).toEqual([1, 2, 3]);
    expect(acknowledged).toEqual([]);
    vi.advanceTimersByTime(499);
    expect(delivered.length).toBe(3);
    vi.advanceTimersByTime(1);
    expect(delivered[3]).toMatchObject({ id: 1, again: true });
    delivered[3]?.settle('reject');
    expect(acknowledged).toEqual([1, 2]);
  });

  test.for([
    [30 * 86_400_000, 1000],
    [Number.POSITIVE_INFINITY, 1000],
  ] as const)('a pause of %i ms is not over at once', ([retryInMs, laterMs]) => {
    const { arrive, delivered } = recorded(1);
    arrive(1);
    delivered[0]?.settle({ retryInMs });
    vi.advanceTimersByTime(laterMs);
    expect(delivered.length).toBe(1);
  });

  test('after a loss nothing is acknowledged any more, and nothing delivered', () => {
    const { flow, arrive, delivered, acknowledged } = recorded(1);
    arrive(1);
    arrive(2);
    flow.discard();
    delivered[0]?.settle('ack');
    arrive(3);
    expect(delivered.length).toBe(1);
    expect(acknowledged).toEqual([]);
  });

  test('stopped: what was delivered may still be acknowledged', () => {
    const { flow, arrive, delivered, acknowledged } = recorded(1);
    arrive(1);
    arrive(2);
    flow.stop();
    delivered[0]?.settle('ack');
    expect(acknowledged).toEqual([1]);
    expect(delivered.length).toBe(1);
  });
});
