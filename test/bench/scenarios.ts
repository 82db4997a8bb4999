/** What is measured, on what, and how long. */

/** The protocols, in the order they are measured. */
export const transports = ['mqtt', 'amqp', 'redis', 'kafka'] as const;
export type Transport = (typeof transports)[number];

/** Publish → receive on one topic; at most `window` messages are sent and not yet received and confirmed. */
export interface StreamScenario {
  readonly id: string;
  readonly kind: 'stream';
  /** `at-most-once`: nobody confirms anything, except on MQTT with QoS 1. `at-least-once`: the broker confirms and the reader acknowledges. */
  readonly delivery: 'at-most-once' | 'at-least-once';
  /** MQTT only, of at-most-once topics. */
  readonly qos: 0 | 1;
  readonly window: number;
}

/** Request → response, with so many calls under way all the time. */
export interface RpcScenario {
  readonly id: string;
  readonly kind: 'rpc';
  readonly inFlight: number;
}

export type Scenario = StreamScenario | RpcScenario;

export const scenarios: readonly Scenario[] = [
  { id: 'pubsub', kind: 'stream', delivery: 'at-most-once', qos: 0, window: 1000 },
  { id: 'pubsub-qos1', kind: 'stream', delivery: 'at-most-once', qos: 1, window: 1000 },
  { id: 'at-least-once', kind: 'stream', delivery: 'at-least-once', qos: 1, window: 1000 },
  { id: 'rpc-1', kind: 'rpc', inFlight: 1 },
  { id: 'rpc-64', kind: 'rpc', inFlight: 64 },
  { id: 'rpc-512', kind: 'rpc', inFlight: 512 },
];

/** Who is measured. `raw` is what the others are compared with. */
export const subjects = [
  'raw',
  'raw-unpipelined',
  'commlib',
  'commlib+zod',
  'nestjs',
  'moleculer',
  'commlib-py',
] as const;
export type Subject = (typeof subjects)[number];

/** Those that `--peers` adds. */
export const peers: readonly Subject[] = ['nestjs', 'moleculer', 'commlib-py'];

export function isSubject(text: string): text is Subject {
  return subjects.some((subject) => subject === text);
}

export function isTransport(text: string): text is Transport {
  return transports.some((transport) => transport === text);
}

/** Is there such a scenario on this transport? */
export function hasScenario(transport: Transport, scenario: Scenario): boolean {
  return scenario.id !== 'pubsub-qos1' || transport === 'mqtt';
}

/** What a subject cannot do, by the subject's own design. It is printed, once. */
interface Gap {
  readonly subject: Subject;
  readonly why: string;
  readonly applies: (transport: Transport, scenario: Scenario) => boolean;
}

const gaps: readonly Gap[] = [
  {
    subject: 'commlib-py',
    why: 'publishes without confirmations, and reads without acknowledging',
    applies: (_, scenario) =>
      scenario.kind === 'stream' && (scenario.delivery === 'at-least-once' || scenario.qos === 1),
  },
  {
    subject: 'commlib-py',
    why: 'concurrent calls of one client get each other’s answers',
    applies: (transport, scenario) =>
      scenario.kind === 'rpc' && scenario.inFlight > 1 && (transport === 'mqtt' || transport === 'amqp'),
  },
  {
    subject: 'commlib-py',
    why: 'a thread for each call in flight; 512 of them are not measured',
    applies: (_, scenario) => scenario.kind === 'rpc' && scenario.inFlight > 64,
  },
  {
    subject: 'nestjs',
    why: 'its Redis transport is PUBLISH only',
    applies: (transport, scenario) => transport === 'redis' && isAtLeastOnce(scenario),
  },
  {
    subject: 'nestjs',
    why: 'on MQTT it acknowledges on arrival, not after the handler',
    applies: (transport, scenario) => transport === 'mqtt' && isAtLeastOnce(scenario),
  },
  {
    subject: 'moleculer',
    why: 'its events are at most once',
    applies: (_, scenario) => isAtLeastOnce(scenario) || scenario.id === 'pubsub-qos1',
  },
];

function isAtLeastOnce(scenario: Scenario): boolean {
  return scenario.kind === 'stream' && scenario.delivery === 'at-least-once';
}

/** Why a subject is not measured in a scenario; undefined when it is. Empty: it is only meant for another transport. */
export function whyNot(subject: Subject, transport: Transport, scenario: Scenario): string | undefined {
  if (subject === 'raw-unpipelined') {
    // Where one command at a time and several in one write are two ways of doing it.
    return transport === 'redis' && scenario.kind === 'rpc' ? undefined : '';
  }
  return gaps.find((gap) => gap.subject === subject && gap.applies(transport, scenario))?.why;
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

/** What must hold on Redis with 64 calls in flight, as a ratio of the rate to `raw-unpipelined`. */
export const unpipelinedTarget = 1.5;
