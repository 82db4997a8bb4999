import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../brokers/index.js';
import { bytes, connected, lossy, unique } from './links.js';

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({
        own: true,
        config: ['max_inflight_messages 0', 'max_queued_messages 0'],
      });
    });
    afterAll(() => broker?.stop());
    afterEach(() => vi.restoreAllMocks());

    test.for([5, 4] as const)(
      'MQTT %i: what one turn of the event loop sends leaves in one write: a burst, its confirmations, answers to it',
      async (version) => {
        await using from = await connected(broker.url, { version });
        await using to = await connected(broker.url, { version });
        const topic = unique();
        const qos1 = { native: { mqtt: { qos: 1 } } } as const;
        let received = 0;
        await to.transport.subscribe(topic, { ...lossy, ...qos1 }, () => {
          // Let the broker deliver the rest meanwhile, so that it is read in few pieces.
          if (++received === 1) busy(300);
          void to.transport.publish(`${topic}/answers`, bytes('answer'));
        });

        const emitted = vi.spyOn(Socket.prototype, 'emit');
        const single = vi.spyOn(Socket.prototype, '_write');
        const joined = vi.spyOn(Socket.prototype, '_writev');
        // 500 × 60 bytes: more than the 16 KiB at which a stream asks for a pause.
        const sent = Array.from({ length: 500 }, () =>
          from.transport.publish(topic, bytes('x'.repeat(60)), { delivery: 'at-least-once' }),
        );
        await Promise.all(sent);
        await until(() => received === 500, { what: 'all 500' });

        // 500 messages, 500 confirmations and 500 answers; but every piece that is read may be a turn of its own.
        const pieces = emitted.mock.calls.filter(([event]) => String(event) === 'data').length;
        expect(single.mock.calls.length + joined.mock.calls.length).toBeLessThanOrEqual(pieces + 20);
      },
    );

    test('a single message on a quiet link is written at once, not at the end of the turn', async () => {
      await using link = await connected(broker.url);
      const single = vi.spyOn(Socket.prototype, '_write');
      // The turn after one in which nothing was written.
      await nextTurn();
      await nextTurn();
      single.mockClear();
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      await link.transport.publish(unique(), bytes('x'));
      await Promise.resolve();
      expect({ written: single.mock.calls.length, turned }).toEqual({ written: 1, turned: false });
    });

    test('at most once: a burst of 60 KiB waits for nothing, one of 2 MiB for the network', async () => {
      await using link = await connected(broker.url);
      const publish = async (size: number) => {
        await nextTurn();
        let turned = false;
        setImmediate(() => {
          turned = true;
        });
        const payload = bytes('x'.repeat(size));
        await Promise.all(Array.from({ length: 100 }, () => link.transport.publish(unique(), payload)));
        return turned;
      };
      expect(await publish(600)).toBe(false);
      expect(await publish(20_000)).toBe(true);
    });
  },
  { own: true },
);

/** Keeps the event loop from turning. */
function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
