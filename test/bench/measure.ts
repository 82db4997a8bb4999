/** Runs the subjects of a scenario in turns. */
import { Contestant, type Place } from './contestant.js';
import { measures, type Scenario, type Size, type Subject } from './scenarios.js';
import { type Summary, summarize, type Values, valuesOf } from './statistics.js';

export type ScenarioResult = ReadonlyMap<Subject, Summary>;

/**
 * All subjects are started, and warmed up one after the other; then they run in turns, A B C and back C B A, so that neither
 * the order nor a slow minute of the machine favours one. While one runs the others hold their connections and do nothing.
 */
export async function measure(
  scenario: Scenario,
  subjects: readonly Subject[],
  place: Place,
  size: Size,
  progress: (text: string) => void,
): Promise<ScenarioResult> {
  const contestants: Contestant[] = [];
  const runs = new Map<Subject, Values[]>();
  try {
    for (const subject of subjects) {
      if (!measures(subject, scenario)) continue;
      contestants.push(new Contestant(subject, scenario, place));
      runs.set(subject, []);
    }
    await Promise.all(contestants.map((contestant) => contestant.ready()));
    progress(`${scenario.id}: warming up`);
    for (const contestant of contestants) await contestant.run(size.warmUpMs, 0);
    for (let round = 0; round < size.rounds; round++) {
      progress(`${scenario.id}: round ${round + 1} of ${size.rounds}`);
      const order = round % 2 === 0 ? contestants : contestants.toReversed();
      for (const contestant of order) {
        runs.get(contestant.subject)?.push(valuesOf(await contestant.run(size.settleMs, size.runMs)));
      }
    }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.stop()));
  }
  const raw = runs.get('raw');
  return new Map(
    [...runs].map(([subject, values]) => [subject, summarize(values, subject === 'raw' ? undefined : raw)]),
  );
}
