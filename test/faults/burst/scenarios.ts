/** The disturbances of a burst. */
import type { Stage } from '../stages/index.js';
import { type BurstResult, type Disturbed, runBurst } from './burst.js';

/** How many calls, and how many of them at once. */
export interface BurstSize {
  readonly calls: number;
  readonly inFlight: number;
}

/** `npm test`. */
export const SMALL: BurstSize = { calls: 2_000, inFlight: 200 };
/** `npm run soak`. */
export const FULL: BurstSize = { calls: 10_000, inFlight: 1_000 };

/** One way to disturb. */
export interface BurstScenario {
  readonly name: string;
  /** The calls are expected to fail only with these codes. */
  readonly mayFail: readonly string[];
  /** How often the client's connection is lost. */
  readonly losses: number;
  /** A client that gives a silent link up so soon takes a machine that stands still for one. */
  readonly orMore?: true;
  run(stage: Stage, size: BurstSize): Promise<BurstResult>;
}

/** `NO_RECEIVER`: a broker that tells so was asked before the service was back. */
const AT_A_LOSS = ['CONNECTION_LOST', 'NOT_CONNECTED', 'NO_RECEIVER', 'TIMEOUT'];
const TIMEOUT_MS = 10_000;

function burst(
  stage: Stage,
  size: BurstSize,
  disturb?: (burst: Disturbed) => Promise<void>,
  watchful = false,
): Promise<BurstResult> {
  return runBurst({ ...size, stage, timeoutMs: TIMEOUT_MS, disturb, watchful });
}

export const scenarios: readonly BurstScenario[] = [
  {
    name: 'undisturbed',
    mayFail: [],
    losses: 0,
    run: (stage, size) => burst(stage, size),
  },
  {
    name: 'broker killed (kill -9) and restarted twice',
    mayFail: AT_A_LOSS,
    losses: 2,
    run: (stage, size) =>
      burst(stage, size, async ({ client, service, settled, state }) => {
        for (const part of [0.25, 0.6]) {
          await settled(part);
          await stage.halt('SIGKILL');
          await state(client, 'reconnecting');
          await stage.restart();
          await state(service, 'ready');
          await state(client, 'ready');
        }
      }),
  },
  {
    name: 'connection of the client reset twice',
    mayFail: AT_A_LOSS,
    losses: 2,
    run: (stage, size) =>
      burst(stage, size, async ({ client, settled, state }) => {
        for (const part of [0.25, 0.6]) {
          await settled(part);
          stage.proxies.near.cut();
          await state(client, 'reconnecting');
          await state(client, 'ready');
        }
      }),
  },
  {
    name: 'link of the client goes silent until it notices',
    mayFail: AT_A_LOSS,
    losses: 1,
    orMore: true,
    run: (stage, size) =>
      burst(
        stage,
        size,
        async ({ client, settled, state }) => {
          await settled(0.4);
          stage.proxies.near.pause();
          await state(client, 'reconnecting');
          stage.proxies.near.resume();
          await state(client, 'ready');
        },
        true,
      ),
  },
];
