import { setTimeout as pause } from 'node:timers/promises';
import type { Intake } from '@commlib/core';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type KafkaBroker, startKafka, until } from '../brokers/index.js';
import { startProxy } from '../faults/proxy.js';
import { bytes, connected, durable, lossy, rejection, surely, text, unique } from './links.js';

describeOn(
  'kafka',
  () => {
    let broker: KafkaBroker;
    beforeAll(async () => {
      broker = await startKafka({ own: true });
    });
    afterAll(() => broker?.stop());

    test('the broker is killed and comes back: noticed, restored, nothing missing, nothing twice in the log', async () => {
      await using link = await connected(broker.url);
      const topic = unique();
      const seen: string[] = [];
      const live: string[] = [];
      const note = { ...durable(unique(), 1000) };
      await link.transport.subscribe(topic, note, (message) => {
        seen.push(text(message));
        message.settle?.('ack');
      });
      await link.transport.subscribe(topic, lossy, (message) => live.push(text(message)));
      const all = Array.from({ length: 3000 }, (_, i) => String(i));
      const sent = all.slice(0, 1000).map((one) => link.transport.publish(topic, bytes(one), surely));
      await sent[0];
      await broker.kill9();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss to be noticed' });
      expect(await rejection(link.transport.publish(topic, bytes('now')))).toMatchObject({
        code: 'NOT_CONNECTED',
      });
      sent.push(...all.slice(1000, 2000).map((one) => link.transport.publish(topic, bytes(one), surely)));
      await broker.restart();
      await until(() => link.transport.status.state === 'ready', {
        what: 'the reconnect',
        timeoutMs: 30_000,
      });
      sent.push(...all.slice(2000).map((one) => link.transport.publish(topic, bytes(one), surely)));
      await Promise.all(sent);
      await until(() => new Set(seen).size === 3000, { what: 'all in the group' });
      // Reading goes on where it was: without a group, too, nothing is missed, and the log holds each message once.
      await until(() => live.length >= 3000, { what: 'all without a group' });
      expect(live).toEqual(all);
    }, 90_000);

    test('a link that is cut while messages are under way: each is stored once', async () => {
      await using proxy = await startProxy(broker.port);
      const route = () => ({ host: '127.0.0.1', port: proxy.port });
      await using link = await connected(broker.url, { route });
      await using reader = await connected(broker.url);
      const topic = unique();
      const got: string[] = [];
      await reader.transport.subscribe(topic, lossy, (message) => got.push(text(message)));
      const all = Array.from({ length: 4000 }, (_, i) => String(i));
      const sent: Promise<void>[] = [];
      for (let i = 0; i < 4; i++) {
        sent.push(
          ...all
            .slice(i * 1000, (i + 1) * 1000)
            .map((one) => link.transport.publish(topic, bytes(one), surely)),
        );
        await sent[i * 1000];
        proxy.cut();
        // It may be back before anybody looks.
        const back = () => {
          const { status } = link.transport;
          return status.state === 'ready' && status.reconnects > i;
        };
        await until(back, { what: 'the reconnect' });
      }
      await Promise.all(sent);
      await until(() => got.length >= 4000, { what: 'all' });
      expect(got).toEqual(all);
    }, 60_000);

    test('whoever is closed while he joins again after a loss is out of the group, and in nobody’s way', async () => {
      await using proxy = await startProxy(broker.port);
      const route = () => ({ host: '127.0.0.1', port: proxy.port });
      await using link = await connected(broker.url, { route, sessionTimeoutMs: 6_000 });
      const groups = Array.from({ length: 12 }, () => unique());
      const topic = unique();
      const intakes: Intake[] = [];
      for (const group of groups)
        intakes.push(await link.transport.subscribe(topic, durable(group), () => {}));
      // Long enough to be closed in the middle of.
      proxy.latency(40);
      proxy.cut();
      const back = () => link.transport.status.state === 'ready';
      await until(() => !back(), { what: 'the loss', everyMs: 1 });
      const closed: Promise<void>[] = [];
      // Some in the pause before the new connection, some while it is made, some after it.
      for (const intake of intakes) {
        closed.push(intake.close());
        await pause(60);
      }
      await Promise.all(closed);
      await until(back, { what: 'the reconnect' });
      expect(link.states()).toEqual(['connecting', 'ready', 'reconnecting', 'ready']);
      const admin = new Kafka({ brokers: [new URL(broker.url).host], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      const nobody = async () => {
        const { groups: found } = await admin.describeGroups(groups.map((group) => `${group}:${topic}`));
        return found.every(({ members }) => members.length === 0);
      };
      // Who was closed without a connection could not say so: the broker notices his silence.
      await until(nobody, { what: 'empty groups', timeoutMs: 15_000 }).finally(() => admin.disconnect());
    }, 60_000);

    test('a link on which nothing passes any more is given up', async () => {
      await using proxy = await startProxy(broker.port);
      const route = () => ({ host: '127.0.0.1', port: proxy.port });
      await using link = await connected(broker.url, {
        route,
        requestTimeoutMs: 1_000,
        connectTimeoutMs: 1_000,
      });
      await link.transport.subscribe(unique(), lossy, () => {});
      proxy.pause();
      await until(() => link.transport.status.state === 'reconnecting', {
        what: 'the silence to be noticed',
      });
      proxy.resume();
      await until(() => link.transport.status.state === 'ready', { what: 'the reconnect' });
    }, 30_000);
  },
  { own: true },
);
