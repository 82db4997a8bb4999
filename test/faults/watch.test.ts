/** `hbotctl watch` while its broker is killed twice: every stream goes on, nothing is shown twice, and it says what happened. */
import { Node } from '@commlib/core';
import { HbotBridge } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, startMosquitto, until } from '../brokers/index.js';
import { start } from '../cli/tool.js';

const shown = z.looseObject({
  stream: z.string(),
  event: z.string().optional(),
  error: z.string().optional(),
});
const streams = ['hb', 'events', 'notify', 'log', 'performance', 'status_updates'];

describeOn(
  'mosquitto',
  () => {
    test('kill -9 twice', async () => {
      await using broker = await startMosquitto({ own: true });
      await using node = new Node({ transport: mqtt(broker.url, { backoff: { minMs: 20, maxMs: 200 } }) });
      await node.start();
      await using bridge = new HbotBridge({ id: 'testbot', node, heartbeatMs: 50 });
      await bridge.start();
      // Numbered messages on every stream, until the test ends.
      let n = 0;
      const publishing = setInterval(() => {
        n++;
        const { publish } = bridge;
        const all = [
          publish.event('OrderExpired', { order_id: `e${n}` }),
          publish.notify(`n${n}`),
          publish.log(`l${n}`),
          publish.performance({ [`p${n}`]: {} }),
        ];
        for (const one of all) one.catch(() => {}); // Offline: nothing is kept for later.
      }, 20);
      const view = start('hbotctl', ['watch', 'testbot', '-b', broker.url, '--json']);
      const records = () => view.lines().map((line) => shown.parse(JSON.parse(line)));
      const count = (stream: string) => records().filter((record) => record.stream === stream).length;
      try {
        const everyStreamGoesOn = async (names: readonly string[]) => {
          const before = new Map(names.map((name) => [name, count(name)]));
          await until(() => names.every((name) => count(name) > (before.get(name) ?? 0)), {
            what: `more of ${names.join(', ')}; ${view.stderr()}`,
            timeoutMs: 20_000,
          });
        };
        await everyStreamGoesOn(streams.slice(0, -1));
        for (const times of [1, 2]) {
          const restored = () => records().filter(({ event }) => event === 'restored').length;
          await broker.kill9();
          await until(() => records().filter(({ event }) => event === 'lost').length >= times, {
            what: 'the line that says that the connection was lost',
          });
          await broker.restart();
          await until(() => restored() === times, {
            what: 'the line that says it is back',
            timeoutMs: 20_000,
          });
          await everyStreamGoesOn(streams.slice(0, -1));
        }
        // What the bot says of itself when its own connection is back, may come before the watcher's is; the end cannot.
        await bridge.stop();
        await until(() => count('status_updates') > 0, { what: 'offline' });
        const lost = records().find(({ event }) => event === 'lost');
        expect(lost?.error).toMatch(/connection was lost|ended the connection/);
        for (const stream of ['events', 'notify', 'log', 'performance']) {
          const texts = records()
            .filter((record) => record.stream === stream)
            .map(({ data }) => JSON.stringify(data));
          expect(new Set(texts).size, `${stream} shown twice`).toBe(texts.length);
        }
        expect(await view.end()).toMatchObject({ code: 0 });
      } finally {
        clearInterval(publishing);
        await view.end('SIGKILL');
      }
    }, 90_000);
  },
  { own: true },
);
