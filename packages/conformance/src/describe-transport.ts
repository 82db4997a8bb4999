/** The kit's one entry: registers a test for every property with the runner it is given. */
import { type Capabilities, within } from '@commlib/core';
import type { TestBench } from './bench.js';
import { ensure } from './check.js';
import { Lab } from './lab.js';
import { properties } from './properties/index.js';
import { type Control, missingControl, type Property, whyOff } from './property.js';
import type { Runner } from './runner.js';

/** How a property ended. */
export type Outcome =
  | { readonly outcome: 'pass' }
  /** The transport lacks the capability, and says so when asked; or the bench cannot do what the property takes. */
  | { readonly outcome: 'off'; readonly reason: string }
  | { readonly outcome: 'fail'; readonly error: unknown };

/** A line of the report. */
export type Result = Outcome & {
  readonly id: string;
  /** The sentence of the contract. */
  readonly promise: string;
  readonly tookMs: number;
};

/** What is to be proved, with what. */
export interface ConformanceOptions {
  /** For titles: `mqtt 5 on Mosquitto`. */
  readonly name: string;
  /** `{ describe, test }` of vitest or of `node:test`, or what behaves like them. */
  readonly runner: Runner;
  /** A bench for one property, on a broker that runs already. The kit disposes of it. */
  readonly create: () => Promise<TestBench>;
  /**
   * What the transport is expected to do on this broker. What it says once connected must be equal to it, so that a
   * capability cannot vanish unseen.
   */
  readonly capabilities: Capabilities;
  /**
   * What this broker does wrong, so that no transport could keep the promise on it: property → reason. They are reported as off
   * with the reason. The test is run all the same, and must fail: a limit that is gone is an error.
   */
  readonly brokerFaults?: Readonly<Record<string, string>> | undefined;
  /** For a single property, in milliseconds. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /** Properties that run at once, each on its own bench. Default 4. */
  readonly concurrency?: number | undefined;
  /** Hears how each property ended: for a report. */
  readonly onResult?: ((result: Result) => void) | undefined;
}

/**
 * Proves a transport: one test for every promise of the contract. A property whose capability is missing is not left out: its
 * test shows that asking for it is an `UnsupportedError`, and its title says why.
 *
 * @example
 * ```ts
 * import { describeTransport } from '@commlib/conformance';
 * import { memory, MemoryBroker } from '@commlib/core';
 * import { describe, test } from 'vitest';
 *
 * describeTransport({
 *   name: 'in memory',
 *   runner: { describe, test },
 *   capabilities: memory().capabilities,
 *   create: async () => {
 *     const broker = new MemoryBroker();
 *     return {
 *       transport: ({ maxBuffered }) => memory({ broker, maxBuffered }),
 *       cut: () => broker.disconnect(),
 *       block: () => broker.kill(),
 *       unblock: () => broker.restore(),
 *       [Symbol.asyncDispose]: async () => {},
 *     };
 *   },
 * });
 * ```
 */
export function describeTransport(options: ConformanceOptions): void {
  const { runner, timeoutMs = 30_000, concurrency = 4 } = options;
  // The kit's own deadline comes first; ending the bench takes a moment, too.
  const limits = { timeout: timeoutMs + 20_000, concurrent: concurrency > 1 };
  const turns = new Turns(concurrency);
  const unknown = Object.keys(options.brokerFaults ?? {}).find(
    (id) => !properties.some((one) => one.id === id),
  );
  if (unknown !== undefined) throw new Error(`brokerFaults names ${unknown}, which is no property`);
  runner.describe(`${options.name} keeps the contract`, { concurrent: concurrency > 1, concurrency }, () => {
    for (const property of properties) {
      const off = whyOff(property, options.capabilities) ?? options.brokerFaults?.[property.id];
      const title = off === undefined ? property.promise : `off, because ${off}: ${property.promise}`;
      runner.test(`${property.id} — ${title}`, { ...limits, timeout: limits.timeout * WAITING }, () =>
        turns.take(() => prove(property, options, timeoutMs)),
      );
    }
  });
}

/** Why a property is off that takes what the bench has not. */
const WITHOUT: Readonly<Record<Control, string>> = {
  cut: 'the bench cannot cut its links',
  hangUp: 'the bench cannot end its links in good order',
  block: 'the bench cannot make the broker unreachable',
  silence: 'the bench has no link that could fall silent',
  stranger: 'there are no credentials that could be wrong',
};

/** A test may wait for its turn while the runner's clock is running already. */
const WAITING = 20;

/** Lets some run at once, whatever the runner does. */
class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

async function prove(property: Property, options: ConformanceOptions, timeoutMs: number): Promise<void> {
  const begun = performance.now();
  const tell = (outcome: Outcome) => {
    const { id, promise } = property;
    options.onResult?.({ ...outcome, id, promise, tookMs: Math.round(performance.now() - begun) });
  };
  try {
    const fault = options.brokerFaults?.[property.id];
    const reason = fault === undefined ? await run(property, options, timeoutMs) : fault;
    if (fault !== undefined) await mustFail(property, options);
    tell(reason === undefined ? { outcome: 'pass' } : { outcome: 'off', reason });
  } catch (error) {
    tell({ outcome: 'fail', error });
    throw error;
  }
}

/** Long enough for what arrives at all. */
const FAULT_MS = 5_000;

async function mustFail(property: Property, options: ConformanceOptions): Promise<void> {
  let held = false;
  try {
    held = (await run(property, options, FAULT_MS)) === undefined;
  } catch {
    return;
  }
  ensure(!held, 'the promise is kept: it is no fault of this broker any more');
}

/** Returns why it was off. */
async function run(
  property: Property,
  { create, capabilities }: ConformanceOptions,
  timeoutMs: number,
): Promise<string | undefined> {
  const lab = new Lab(await create(), capabilities, timeoutMs * 0.6);
  const off = whyOff(property, capabilities);
  const control = off === undefined ? missingControl(property, lab.bench) : undefined;
  const ask = property.needs?.find((need) => need.missing(capabilities) !== undefined)?.ask;
  const work = async () => {
    if (off !== undefined) await ask?.(lab);
    else if (control === undefined) await property.test(lab);
  };
  let failed: { readonly error: unknown } | undefined;
  const done = work().catch((error: unknown) => {
    failed = { error };
  });
  const inTime = await within(timeoutMs, done);
  try {
    await lab.end();
  } catch (error) {
    failed ??= { error };
  }
  if (failed) throw failed.error;
  ensure(inTime, `not done within ${timeoutMs} ms`);
  return off ?? (control === undefined ? undefined : WITHOUT[control]);
}
