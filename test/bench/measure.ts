/** Runs the subjects of a scenario in turns. */
import { Contestant, type Place } from './contestant.js';
import { peers, type Scenario, type Size, type Subject } from './scenarios.js';
import { type Summary, summarize, type Values, valuesOf } from './statistics.js';

export type ScenarioResult = ReadonlyMap<Subject, Summary>;

/** What is told while it is measured. */
export interface Reporter {
  progress(text: string): void;
  /** A peer did not get through; a failure of raw or of this library ends the measurement instead. */
  failed(subject: Subject, error: unknown): void;
}

/**
 * All subjects are started, and warmed up one after the other; then they run in turns, A B C and back C B A, so that neither
 * the order nor a slow minute of the machine favours one. While one runs the others hold their connections and do nothing.
 */
export async function measure(
  scenario: Scenario,
  subjects: readonly Subject[],
  place: Place,
  size: Size,
  reporter: Reporter,
): Promise<ScenarioResult> {
  const all = subjects.map((subject) => new Contestant(subject, scenario, place));
  const runs = new Map<Subject, Values[]>(subjects.map((subject) => [subject, []]));
  const racing = new Set(all);
  const attempt = async (contestant: Contestant, work: () => Promise<unknown>) => {
    if (!racing.has(contestant)) return;
    try {
      await work();
    } catch (error) {
      if (!peers.includes(contestant.subject)) throw error;
      racing.delete(contestant);
      runs.delete(contestant.subject);
      reporter.failed(contestant.subject, error);
      await contestant.stop();
    }
  };
  try {
    await Promise.all(all.map((contestant) => attempt(contestant, () => contestant.ready())));
    reporter.progress(`${scenario.id}: warming up`);
    for (const contestant of all) await attempt(contestant, () => contestant.run(size.warmUpMs, 0));
    for (let round = 0; round < size.rounds; round++) {
      reporter.progress(`${scenario.id}: round ${round + 1} of ${size.rounds}`);
      for (const contestant of round % 2 === 0 ? all : all.toReversed()) {
        await attempt(contestant, async () => {
          const values = valuesOf(await contestant.run(size.settleMs, size.runMs));
          runs.get(contestant.subject)?.push(values);
        });
      }
    }
  } finally {
    await Promise.all(all.map((contestant) => contestant.stop()));
  }
  const raw = runs.get('raw');
  return new Map(
    [...runs].map(([subject, values]) => [subject, summarize(values, subject === 'raw' ? undefined : raw)]),
  );
}
