/** Numbered messages, at least once, from one program to another, while their broker and their links are disturbed. */
import { setImmediate as turn } from 'node:timers/promises';
import { CommlibError, Node, topic } from '@commlib/core';
import { z } from 'zod';
import { until } from '../../brokers/until.js';
import type { Side, Stage } from '../stages/index.js';
import { Numbers } from './numbers.js';
import { type LossPlan, marksOf } from './plan.js';

/** What became of the messages. */
export interface LossResult extends LossPlan {
  /** Confirmed by the broker, and never received. */
  readonly missing: number;
  readonly firstMissing: readonly number[];
  /** Received once more than needed. */
  readonly duplicates: number;
  /** Error code → publishes that were rejected with it, and which this test made again. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Connections that were made again: the publisher's, and the subscriber's. */
  readonly reconnects: Readonly<Record<Side, number>>;
  /** Handlers that failed, and whatever else no program should see: empty. */
  readonly problems: readonly string[];
  readonly durationMs: number;
  /** Longest time between two messages received. */
  readonly longestGapMs: number;
}

const numbered = topic('loss.numbers', z.object({ n: z.number() }), { delivery: 'at-least-once' });
const GROUP = 'loss';
/** Publishes without a confirmation. */
const WINDOW = 500;
/** The publisher waits for a subscriber that is further behind, so that both are at work when something happens. */
const AHEAD = 5_000;
/** Nothing was confirmed or received for this long: the publisher goes on without the subscriber. */
const STANDING_MS = 1_000;
/** Nothing was confirmed or received for this long: it is over. */
const STALLED_MS = 60_000;

/** Sends and receives. Resolves when all has arrived, or when nothing more comes. */
export async function runLoss(stage: Stage, plan: LossPlan, quietMs = STALLED_MS): Promise<LossResult> {
  const run = new Loss(stage, plan, quietMs);
  return run.run();
}

class Loss {
  readonly #stage: Stage;
  readonly #plan: LossPlan;
  readonly #quietMs: number;
  readonly #numbers: Numbers;
  readonly #rejected: Record<string, number> = {};
  readonly #reconnects = { near: 0, far: 0 };
  readonly #problems: string[] = [];
  #next = 0;
  #confirmed = 0;
  /** What was sent until nothing moved any more is not waited for: a broker that forgets takes it with it. */
  #given = 0;
  #over = false;
  #last: number | undefined;
  #longestGapMs = 0;

  constructor(stage: Stage, plan: LossPlan, quietMs: number) {
    this.#stage = stage;
    this.#plan = plan;
    this.#quietMs = quietMs;
    this.#numbers = new Numbers(plan.messages);
  }

  async run(): Promise<LossResult> {
    const { messages } = this.#plan;
    await using far = await this.#node('far');
    await far.subscribe(numbered, ({ n }) => this.#receive(n), {
      group: GROUP,
      maxInFlight: 500,
      native: this.#stage.native,
    });
    const { groupsSettleMs = 0 } = this.#stage;
    const declared = performance.now();
    await until(() => performance.now() - declared >= groupsSettleMs, { what: 'the group is on disk' });
    await using near = await this.#node('near');
    const begun = performance.now();
    const publishing = Promise.all(Array.from({ length: WINDOW }, () => this.#publish(near)));
    const disturbing = this.#disturb();
    await Promise.all([this.#watch(), publishing, disturbing]);
    const durationMs = performance.now() - begun;
    if (this.#confirmed < messages)
      this.#problems.push(`the broker confirmed ${this.#confirmed} of ${messages} messages only`);
    return {
      ...this.#plan,
      missing: messages - this.#numbers.count,
      firstMissing: this.#numbers.missing(),
      duplicates: this.#numbers.duplicates,
      rejected: this.#rejected,
      reconnects: this.#reconnects,
      problems: this.#problems,
      durationMs,
      longestGapMs: this.#longestGapMs,
    };
  }

  #node(side: Side): Promise<Node> {
    let readyBefore = false;
    const node = new Node({
      transport: this.#stage.transport({ side, clientId: `loss-${side}` }),
      name: `loss-${side}`,
      onEvent: (event) => {
        if (event.type === 'handler-error' || event.type === 'dead-letter')
          this.#problems.push(event.error.message);
        if (event.type !== 'status' || event.status.state !== 'ready') return;
        if (readyBefore) this.#reconnects[side]++;
        readyBefore = true;
      },
    });
    return node.start({ timeoutMs: 30_000 });
  }

  #receive(n: number): Promise<void> | undefined {
    this.#numbers.add(n);
    const now = performance.now();
    if (this.#last !== undefined) this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#last);
    this.#last = now;
    // Some handlers take a moment, so that something is always in hand when the link goes.
    return n % 64 === 0 ? turn() : undefined;
  }

  /** One of the publishers that share the numbers. What is rejected is sent again: that is the caller's part. */
  async #publish(node: Node): Promise<void> {
    const publisher = node.publisher(numbered);
    while (!this.#over && this.#next < this.#plan.messages) {
      if (this.#next - Math.max(this.#numbers.end, this.#given) >= AHEAD) {
        await turn();
        continue;
      }
      const n = this.#next++;
      while (!this.#over) {
        try {
          await publisher.publish({ n });
          this.#confirmed++;
          break;
        } catch (error) {
          const code = CommlibError.is(error) ? error.code : String(error);
          this.#rejected[code] = (this.#rejected[code] ?? 0) + 1;
          if (node.status.state === 'closed') throw error;
          await until(() => this.#over || node.status.state === 'ready', {
            what: 'the publisher is connected again',
            timeoutMs: this.#quietMs * 2,
          });
        }
      }
    }
  }

  async #disturb(): Promise<void> {
    const { proxies } = this.#stage;
    let cuts = 0;
    for (const { at, what } of marksOf(this.#plan)) {
      await until(() => this.#over || this.#numbers.end >= at, {
        what: `message ${at}`,
        timeoutMs: 24 * 3_600_000,
        everyMs: 1,
      });
      if (this.#over) return;
      if (what === 'cut') {
        const turnOf = cuts++ % 3;
        if (turnOf !== 1) proxies.near.cut();
        if (turnOf !== 0) proxies.far.cut();
      } else {
        await this.#stage.halt(this.#plan.signal);
        await this.#stage.restart();
      }
    }
  }

  /** Resolves when everything has come, or when nothing was confirmed or received for a while. */
  async #watch(): Promise<void> {
    let seen = -1;
    let since = performance.now();
    await until(
      () => {
        const now = this.#confirmed + this.#numbers.count;
        if (now !== seen) since = performance.now();
        seen = now;
        if (performance.now() - since > STANDING_MS) this.#given = this.#next;
        const all = this.#confirmed === this.#plan.messages && this.#numbers.count === this.#plan.messages;
        return all || performance.now() - since > this.#quietMs;
      },
      { what: 'the end', timeoutMs: 24 * 3_600_000, everyMs: 10 },
    );
    this.#over = true;
  }
}
