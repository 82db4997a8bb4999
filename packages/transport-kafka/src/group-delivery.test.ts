import type { Inbound } from '@commlib/core';
import { describe, expect, test, vi } from 'vitest';
import { GroupDelivery } from './group-delivery.js';
import type { PartitionOffset } from './membership.js';
import { Part } from './part.js';
import type { FetchedRecord } from './protocol.js';

const record = (offset: number): FetchedRecord => ({
  offset: String(offset),
  timestamp: '0',
  key: null,
  value: Buffer.from(String(offset)),
});

/** Deliveries of one partition; the test answers the commits. */
function delivery(durable: boolean, maxInFlight = 2) {
  const messages: Inbound[] = [];
  const commits: { offsets: readonly PartitionOffset[]; answer: (written: boolean) => void }[] = [];
  const onDone = vi.fn();
  const onLost = vi.fn();
  const wake = vi.fn();
  const parts = new Map<string, Part>();
  const made = new GroupDelivery({
    parts,
    durable,
    maxInFlight,
    onMessage: (message) => messages.push(message),
    onDone,
    commit: (offsets) => new Promise((answer) => commits.push({ offsets, answer })),
    onLost,
  });
  made.attach({ wake });
  const part = new Part('t', 0, 0, undefined, () => made.pump());
  parts.set('t/0', part);
  const arrive = (count: number) => {
    const first = part.position;
    part.position += count;
    part.deliver(Array.from({ length: count }, (_, i) => record(first + i)));
  };
  const positions = () => messages.map(({ position }) => position);
  return { delivery: made, part, arrive, messages, positions, commits, onDone, onLost, wake };
}

describe('at least once', () => {
  test('no more than maxInFlight with the handlers; done goes with what they settle', () => {
    const { part, arrive, messages, positions, onDone } = delivery(true);
    arrive(3);
    expect(positions()).toEqual(['0:0', '0:1']);
    messages[1]?.settle?.('ack');
    expect([positions(), part.done, onDone.mock.calls.length]).toEqual([['0:0', '0:1', '0:2'], 0, 0]);
    messages[0]?.settle?.('ack');
    expect(part.done).toBe(2);
    expect(onDone).toHaveBeenCalled();
  });

  test('reading stops while too much waits, and is woken', () => {
    const { part, arrive, messages, wake } = delivery(true);
    arrive(503);
    expect([part.paused, wake.mock.calls.length]).toEqual([true, 0]);
    messages[0]?.settle?.('ack');
    expect(part.paused).toBe(false);
    expect(wake).toHaveBeenCalledWith(part);
  });

  test('a handler that settles at once does not nest', () => {
    const { delivery: one, arrive, messages, part } = delivery(true);
    const push = messages.push.bind(messages);
    let depth = 0;
    let deepest = 0;
    messages.push = (message) => {
      deepest = Math.max(deepest, ++depth);
      message.settle?.('ack');
      depth--;
      return push(message);
    };
    arrive(1000);
    one.pump();
    expect([part.done, deepest]).toEqual([1000, 1]);
  });

  test('after stop nothing more goes to the handlers; what is with them is waited for', async () => {
    const { delivery: one, part, arrive, messages } = delivery(true);
    arrive(3);
    one.stop();
    const idle = one.idle();
    for (const message of messages) message.settle?.('ack');
    await idle;
    expect([messages.length, part.done]).toEqual([2, 2]);
  });
});

describe('at most once', () => {
  test('a handler sees what was committed', async () => {
    const { part, arrive, positions, commits } = delivery(false);
    arrive(2);
    expect([positions(), commits[0]?.offsets]).toEqual([[], [{ topic: 't', partition: 0, offset: 2 }]]);
    commits[0]?.answer(true);
    await vi.waitFor(() => expect(positions()).toEqual(['0:0', '0:1']));
    expect(part.committed).toBe(2);
  });

  test('what could not be committed is not delivered, and the partition is lost', async () => {
    const { part, arrive, positions, commits, onLost } = delivery(false);
    arrive(1);
    commits[0]?.answer(false);
    await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce());
    expect([positions(), part.lost]).toEqual([[], true]);
  });
});
