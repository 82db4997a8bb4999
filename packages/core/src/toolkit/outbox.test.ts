import { describe, expect, test, vi } from 'vitest';
import { type CommlibError, ConnectionError } from '../errors.js';
import { Outbox, type Outlet } from './outbox.js';

const lost = new ConnectionError('CONNECTION_LOST', 'gone');

/** A connection that confirms when the test says so. */
function outlet(window = 2, more: Partial<Outlet<string>> = {}) {
  const sent: { item: string; confirm: (error?: CommlibError) => void }[] = [];
  const way: Outlet<string> = { window, send: (item, confirm) => sent.push({ item, confirm }), ...more };
  return { way, sent, items: () => sent.map(({ item }) => item) };
}

const outbox = (limit = 10) => new Outbox<string>({ limit, describe: (item) => `message ${item}` });
const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

describe('messages that wait for their confirmation', () => {
  test('go out in order, no more than the window, and make room for the next when confirmed', async () => {
    const box = outbox();
    const { way, sent, items } = outlet(2);
    box.attach(way);
    const done: string[] = [];
    for (const item of ['a', 'b', 'c', 'd']) void box.add(item, true).then(() => done.push(item));
    expect(items()).toEqual(['a', 'b']);
    sent[1]?.confirm();
    await turn();
    expect(items()).toEqual(['a', 'b', 'c']);
    await turn();
    expect(done).toEqual(['b']);
    expect(box.size).toBe(3);
  });

  test('wait while there is no connection, up to the limit', async () => {
    const box = outbox(2);
    const first = box.add('a', true);
    void box.add('b', true);
    await expect(box.add('c', true)).rejects.toMatchObject({ code: 'BUFFER_FULL' });
    const { way, sent } = outlet(5);
    box.attach(way);
    sent[0]?.confirm();
    await first;
    expect(box.size).toBe(1);
  });

  test('after a loss are sent again, oldest first and before those that waited; what is not kept fails', async () => {
    const box = outbox();
    const one = outlet(2);
    box.attach(one.way);
    const kept = [box.add('a', true)];
    const dropped = box.add('b', false);
    kept.push(box.add('c', true));
    box.detach(lost);
    await expect(dropped).rejects.toBe(lost);
    one.sent[0]?.confirm(); // Too late: void.
    expect(box.size).toBe(2);
    const two = outlet(2);
    box.attach(two.way);
    expect(two.items()).toEqual(['a', 'c']);
    for (const { confirm } of two.sent) confirm();
    await Promise.all(kept);
    await box.idle();
  });

  test('that end ten connections are not sent an eleventh time', async () => {
    const box = outbox();
    const sent = box.add('a', true);
    for (let i = 0; i < 10; i++) {
      box.attach(outlet().way);
      box.detach(lost);
    }
    await expect(sent).rejects.toThrow('a message a was sent 10 times');
    expect(box.size).toBe(0);
  });

  test('that were never sent survive any number of losses', async () => {
    const box = outbox();
    const sent = box.add('a', true);
    for (let i = 0; i < 20; i++) {
      box.attach(outlet(0).way);
      box.detach(lost);
    }
    const { way, sent: out } = outlet();
    box.attach(way);
    out[0]?.confirm();
    await sent;
  });

  test('refused by the broker fail alone', async () => {
    const box = outbox();
    const { way, sent } = outlet();
    box.attach(way);
    const [a, b] = [box.add('a', true), box.add('b', true)];
    sent[0]?.confirm(lost);
    sent[1]?.confirm();
    await expect(a).rejects.toBe(lost);
    await b;
  });

  test('hold the place of the first that is not admitted', async () => {
    const box = outbox();
    let room = false;
    const { way, sent, items } = outlet(5, { admits: (item) => room || item !== 'big' });
    box.attach(way);
    for (const item of ['a', 'big', 'c']) void box.add(item, true);
    expect(items()).toEqual(['a']);
    room = true;
    sent[0]?.confirm();
    await turn();
    expect(items()).toEqual(['a', 'big', 'c']);
  });

  test('wait while the connection is congested', async () => {
    const box = outbox();
    let congested = true;
    let drain = () => {};
    const items: string[] = [];
    box.attach({
      window: 5,
      get congested() {
        return congested;
      },
      drained: () =>
        new Promise<void>((resolve) => {
          drain = resolve;
        }),
      send: (item) => items.push(item),
    });
    void box.add('a', true);
    void box.add('b', true);
    expect(items).toEqual([]);
    congested = false;
    drain();
    await expect.poll(() => items).toEqual(['a', 'b']);
  });

  test('many ready at once are flushed once', () => {
    const box = outbox();
    const flush = vi.fn();
    for (const item of ['a', 'b', 'c']) void box.add(item, true);
    box.attach(outlet(5, { flush }).way);
    expect(flush).toHaveBeenCalledOnce();
  });

  test('all fail when nothing will be sent any more', async () => {
    const box = outbox();
    const all = ['a', 'b'].map((item) => box.add(item, true));
    const idle = box.idle();
    box.fail(lost);
    await Promise.all(all.map((one) => expect(one).rejects.toBe(lost)));
    await idle;
  });
});
