/** Many subscriptions on one connection: what a message costs must not grow with their number. */
import { anything, FilterTree, Node, topic } from '@commlib/core';
import { until } from '../../brokers/until.js';
import type { Stage } from '../stages/index.js';

/** One measurement. */
export interface ScaleResult {
  readonly subscriptions: number;
  readonly messages: number;
  /** Until all of them were confirmed. */
  readonly openMs: number;
  /** Processor time of publisher and subscriber together, for one message. */
  readonly cpuUs: number;
  /** Messages that came to a handler they were not for, or twice. */
  readonly wrong: number;
}

/** What is compared. */
export const SIZES = [10, 1_000, 10_000] as const;

/** Messages go to so many of the names: on Kafka each is a topic, and a broker carries few of those. */
const TOPICS = 50;
const BATCH = 250;
const ROUNDS = 3;

/** Opens the subscriptions, half of them with a wildcard, and sends messages that each are for exactly one of them. */
export async function runScale(stage: Stage, subscriptions: number, messages: number): Promise<ScaleResult> {
  await using node = await new Node({ transport: stage.transport({ side: 'direct' }) }).start();
  await using sender = await new Node({ transport: stage.transport({ side: 'direct' }) }).start();
  // Names of this run alone: what an earlier one left at the broker is not counted.
  const run = `scale${subscriptions}x${Math.random().toString(36).slice(2, 8)}`;
  const targets = Math.min(subscriptions, TOPICS);
  const publishers = Array.from({ length: targets }, (_, k) =>
    sender.publisher(topic(`${run}.${at(k)}.value`, anything)),
  );
  const used = new Set(Array.from({ length: targets }, (_, k) => at(k)));
  /** Which of the subscriptions the k-th name is for. */
  function at(k: number): number {
    return Math.floor((k * subscriptions) / targets);
  }
  let received = 0;
  let wrong = 0;
  const goal = { at: Number.POSITIVE_INFINITY, reached: () => {} };
  /** Looking again and again would be counted as the cost of messages. */
  const arrival = (at: number) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${at - received} messages did not come`)), 30_000);
      goal.at = at;
      goal.reached = () => {
        clearTimeout(timer);
        goal.at = Number.POSITIVE_INFINITY;
        resolve();
      };
    });
  const begun = performance.now();
  const open = async (i: number) => {
    const last = i % 2 === 0 && (!stage.topicsAreScarce || used.has(i)) ? 'value' : '+';
    await node.subscribe(
      topic(`${run}.${i}.${last}`, anything),
      (data) => {
        received++;
        if (data !== i) wrong++;
        if (received >= goal.at) goal.reached();
      },
      { timeoutMs: 300_000 },
    );
  };
  for (let i = 0; i < subscriptions; i += 500) {
    await Promise.all(Array.from({ length: Math.min(500, subscriptions - i) }, (_, j) => open(i + j)));
  }
  const openMs = performance.now() - begun;

  const round = async (): Promise<number> => {
    const before = process.cpuUsage();
    let sent = received;
    for (let left = messages; left > 0; left -= BATCH) {
      const size = Math.min(BATCH, left);
      await Promise.all(
        Array.from({ length: size }, (_, j) => publishers[j % targets]?.publish(at(j % targets))),
      );
      sent += size;
      if (received < sent) await arrival(sent);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / messages;
  };
  // Topics are found, code is compiled.
  await Promise.all(publishers.map((publisher, k) => publisher.publish(at(k))));
  await until(() => received >= targets, { what: 'the first messages', timeoutMs: 60_000 });
  await round();
  let cpuUs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) cpuUs = Math.min(cpuUs, await round());
  const all = targets + messages * (ROUNDS + 1);
  return { subscriptions, messages, openMs, cpuUs, wrong: wrong + Math.abs(received - all) };
}

/** The same for core's own matching alone. */
export function runMatching(subscriptions: number, messages: number): ScaleResult {
  const tree = new FilterTree<number>();
  const begun = performance.now();
  for (let i = 0; i < subscriptions; i++) tree.add(['scale', String(i), i % 2 === 0 ? 'value' : '+'], i);
  const openMs = performance.now() - begun;
  const addresses = Array.from({ length: subscriptions }, (_, i) => ['scale', String(i), 'value']);
  let wrong = 0;
  const round = () => {
    const before = process.cpuUsage();
    for (let n = 0; n < messages; n++) {
      const i = n % subscriptions;
      let found = 0;
      tree.match(addresses[i] ?? [], (value) => {
        found += value === i ? 1 : 1_000;
      });
      if (found !== 1) wrong++;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / messages;
  };
  round();
  let cpuUs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) cpuUs = Math.min(cpuUs, round());
  return { subscriptions, messages, openMs, cpuUs, wrong };
}
