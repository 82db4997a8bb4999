/** What is measured, on what, and how long. */

/** Publish → receive on one topic, or request → response, with so much under way at once. */
export type Scenario =
  | { readonly id: string; readonly kind: 'stream'; readonly qos: 0 | 1; readonly window: number }
  | { readonly id: string; readonly kind: 'rpc'; readonly inFlight: number };

export const scenarios: readonly Scenario[] = [
  { id: 'pubsub-qos0', kind: 'stream', qos: 0, window: 1000 },
  { id: 'pubsub-qos1', kind: 'stream', qos: 1, window: 1000 },
  { id: 'rpc-1', kind: 'rpc', inFlight: 1 },
  { id: 'rpc-64', kind: 'rpc', inFlight: 64 },
  { id: 'rpc-512', kind: 'rpc', inFlight: 512 },
];

/** Who is measured. `raw` is what the others are compared with. */
export const subjects = ['raw', 'commlib', 'commlib+zod', 'commlib-py'] as const;
export type Subject = (typeof subjects)[number];

export function isSubject(text: string): text is Subject {
  return subjects.some((subject) => subject === text);
}

/** commlib-py publishes at QoS 0 only, and its clients are made for one call at a time. */
export function measures(subject: Subject, scenario: Scenario): boolean {
  if (subject !== 'commlib-py') return true;
  return scenario.kind === 'stream' ? scenario.qos === 0 : scenario.inFlight === 1;
}

/** Lengths of a run. */
export interface Size {
  /** Runs of each subject, in turns. */
  readonly rounds: number;
  /** Of one run. */
  readonly runMs: number;
  /** At the beginning of each run, not counted. */
  readonly settleMs: number;
  /** Before the first, not counted: the time a just-in-time compiler needs. */
  readonly warmUpMs: number;
}

export const full: Size = { rounds: 5, runMs: 2000, settleMs: 500, warmUpMs: 3000 };
export const quick: Size = { rounds: 1, runMs: 150, settleMs: 50, warmUpMs: 50 };

/** What must hold, as a ratio to raw. */
export const targets = {
  rate: { commlib: 0.95, 'commlib+zod': 0.9 },
  p50: { commlib: 1.1, 'commlib+zod': 1.1 },
} as const;
