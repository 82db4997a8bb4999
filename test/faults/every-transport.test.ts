/** What a program sees of a slow handler, of a lost connection and of a silent link: the same on every transport. */
import { Node, type NodeEvent, topic } from '@commlib/core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { describeOn, until } from '../brokers/index.js';
import { oneOfEach, type Stage } from './stages/index.js';

const numbered = z.object({ n: z.number() });
const up = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

for (const kind of oneOfEach) {
  describeOn(
    kind.broker,
    () => {
      vi.setConfig({ testTimeout: 60_000 });
      let stage: Stage;
      beforeAll(async () => {
        stage = await kind.start();
      });
      afterAll(() => stage?.[Symbol.asyncDispose]());

      /** A started node and what it said. */
      async function started(
        options: { clientId?: string; side?: 'near' | 'direct'; watchful?: boolean } = {},
      ) {
        const events: NodeEvent[] = [];
        const { side = 'direct', ...rest } = options;
        const transport = stage.transport({ side, ...rest });
        const node = await new Node({ transport, onEvent: (event) => events.push(event) }).start();
        return { node, events, [Symbol.asyncDispose]: () => node.close({ deadlineMs: 2_000 }) };
      }

      test(`${kind.name}, at least once: no more than maxInFlight are taken, and none is lost`, async () => {
        const sure = topic('slow.sure', numbered, { delivery: 'at-least-once' });
        await using slow = await started({ clientId: 'slow' });
        await using other = await started({ clientId: 'fast' });
        const began: number[] = [];
        const release: (() => void)[] = [];
        const opened = { slow: false };
        const intake = { group: 'slow', maxInFlight: 20, concurrency: 20, native: stage.native };
        await slow.node.subscribe(
          sure,
          async ({ n }) => {
            began.push(n);
            if (!opened.slow) await new Promise<void>((resolve) => release.push(resolve));
          },
          intake,
        );
        // Another group is not held up, and shows that the broker has passed everything on.
        const seen = new Set<number>();
        await other.node.subscribe(sure, ({ n }) => void seen.add(n), {
          group: 'fast',
          native: stage.native,
        });
        const publisher = other.node.publisher(sure);
        await Promise.all(up(0, 500).map((n) => publisher.publish({ n })));
        await until(() => seen.size === 500, { what: 'all messages at the other group', timeoutMs: 20_000 });
        // One handler at a time, as all have one address and so one order: the rest of the twenty waits behind it.
        expect(slow.node.counters.received).toBeLessThanOrEqual(20);
        expect(slow.node.counters.dropped).toBe(0);
        opened.slow = true;
        for (const go of release) go();
        await until(() => new Set(began).size === 500, { what: 'all messages', timeoutMs: 20_000 });
        expect(slow.events.filter(({ type }) => type === 'overflow')).toEqual([]);
      });

      test(`${kind.name}, at most once: the oldest are dropped and counted, calls and others are not held up`, async () => {
        const lossy = topic('slow.lossy', numbered);
        await using node = await started();
        await using sender = await started();
        const slow: number[] = [];
        const fast: number[] = [];
        let open = () => {};
        const gate = new Promise<void>((resolve) => {
          open = resolve;
        });
        const subscriber = await node.node.subscribe(
          lossy,
          async ({ n }) => {
            slow.push(n);
            await gate;
          },
          { maxInFlight: 100 },
        );
        await node.node.subscribe(lossy, ({ n }) => void fast.push(n));
        const publisher = sender.node.publisher(lossy);
        for (const from of [0, 250, 500, 750]) {
          await Promise.all(up(from, from + 250).map((n) => publisher.publish({ n })));
          // The broker may drop what a client does not fetch in time: not what is looked at here.
          await until(() => fast.length === from + 250, { what: 'the fast subscriber', everyMs: 2 });
        }
        expect(fast).toEqual(up(0, 1_000));
        expect(slow).toEqual([0]);
        await until(() => subscriber.dropped === 899, { what: 'the count of what was dropped' });
        open();
        await until(() => slow.length === 101, { what: 'the newest hundred' });
        expect(slow.slice(1)).toEqual(up(900, 1_000));
        expect(node.events.filter(({ type }) => type === 'overflow')).toEqual([
          { type: 'overflow', endpoint: subscriber.filter, dropped: 1 },
        ]);
      });

      test(`${kind.name}: ready again means that every subscription is back`, async () => {
        const topics = up(0, 40).map((n) => topic(`slow.back.${n}`, numbered));
        await using sender = await started();
        const publishers = topics.map((one) => sender.node.publisher(one));
        await using node = await started({ side: 'near' });
        const times = new Map<number, number>();
        await Promise.all(
          topics.map((one, i) => node.node.subscribe(one, () => void times.set(i, (times.get(i) ?? 0) + 1))),
        );
        const events = node.node.events();
        const ready = (async () => {
          for await (const event of events) {
            // In the very moment of ready, past the proxy.
            if (event.type === 'status' && event.status.state === 'ready')
              return Promise.all(publishers.map((publisher, n) => publisher.publish({ n })));
          }
          return undefined;
        })();
        stage.proxies.near.cut();
        await ready;
        await until(() => times.size === topics.length, {
          what: 'a message on each topic',
          timeoutMs: 20_000,
        });
        // One more message takes the same way: whatever came twice has come by then.
        await Promise.all(publishers.map((publisher, n) => publisher.publish({ n })));
        await until(() => [...times.values()].every((n) => n >= 2), { what: 'the second message' });
        expect([...times.values()].every((n) => n === 2)).toBe(true);
      });

      test(`${kind.name}: a link that falls silent is noticed, and what waited for it arrives`, async () => {
        const sure = topic('slow.silent', numbered, { delivery: 'at-least-once' });
        await using receiver = await started({ clientId: 'receiver' });
        const seen = new Set<number>();
        await receiver.node.subscribe(sure, ({ n }) => void seen.add(n), {
          group: 'silent',
          native: stage.native,
        });
        await using sender = await started({ side: 'near', watchful: true });
        const publisher = sender.node.publisher(sure);
        await publisher.publish({ n: 0 });
        stage.proxies.near.pause();
        const waiting = up(1, 50).map((n) => publisher.publish({ n }));
        const lost = () =>
          sender.events.find((event) => event.type === 'status' && event.status.state === 'reconnecting');
        await until(lost, { what: 'the loss is noticed', timeoutMs: 20_000 });
        expect(lost()).toMatchObject({ status: { error: { code: 'CONNECTION_LOST' } } });
        stage.proxies.near.resume();
        await Promise.all(waiting);
        await until(() => seen.size === 50, { what: 'all messages', timeoutMs: 20_000 });
      });
    },
    { own: true },
  );
}
