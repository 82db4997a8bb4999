import { commlibPattern, type Inbound, type Name, toName } from '@commlib/core';
import { beforeAll, expect, test } from 'vitest';
import { describeOn, sharedRabbitmq, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, lossy, plain, rejection, text, unique } from './links.js';

describeOn('rabbitmq', () => {
  let url: string;
  beforeAll(async () => {
    url = (await sharedRabbitmq()).url;
  });

  /** What each of the names receives of the addresses, which are at least so many messages. */
  async function received(
    names: readonly (string | Name)[],
    addresses: readonly string[],
    counts: readonly number[],
    options: Parameters<typeof connected>[1] = {},
  ): Promise<string[][]> {
    await using link = await connected(url, options);
    const { transport } = link;
    const got: string[][] = names.map(() => []);
    for (const [i, name] of names.entries()) {
      const filter = transport.names.filter(toName(name));
      await transport.subscribe(filter, lossy, (message) => void got[i]?.push(message.address));
    }
    const end = unique();
    let ended = false;
    await transport.subscribe(end, lossy, () => {
      ended = true;
    });
    for (const address of addresses) await transport.publish(address, bytes('x'));
    await until(() => got.every((one, i) => one.length >= (counts[i] ?? 0)), {
      what: `${counts.join(', ')} messages`,
    });
    // It tells that nothing more comes; not that all came, since some names have a queue of their own.
    await transport.publish(end, bytes('x'));
    await until(() => ended, { what: 'the last message' });
    return got;
  }

  test('wildcards match as everywhere', async () => {
    const o = unique();
    const [one, rest, exact, inner] = await received(
      [`${o}.+`, `${o}.#`, `${o}.a`, `${o}.+.c`],
      [o, `${o}.a`, `${o}.a.b`, `${o}.a.c`, `${o}..c`],
      [1, 5, 1, 2],
    );
    expect(one).toEqual([`${o}.a`]);
    expect(rest).toEqual([o, `${o}.a`, `${o}.a.b`, `${o}.a.c`, `${o}..c`]);
    expect(exact).toEqual([`${o}.a`]);
    expect(inner).toEqual([`${o}.a.c`, `${o}..c`]);
  });

  test('names with slashes are other names than with dots, unless they are MQTT names', async () => {
    const o = unique();
    const [slash, dot] = await received([`${o}/a`, `${o}.a`], [`${o}/a`, `${o}.a`], [1, 1]);
    expect([slash, dot]).toEqual([[`${o}/a`], [`${o}.a`]]);
    const [wild, plainly] = await received([`${o}/+`, `${o}.a`], [`${o}.a`, `${o}.b`], [2, 1], {
      names: 'mqtt',
    });
    expect([wild, plainly]).toEqual([[`${o}.a`, `${o}.b`], [`${o}.a`]]);
  });

  test("commlib's own patterns mean what they mean there", async () => {
    const o = unique();
    const [pattern] = await received(
      [commlibPattern(`${o}.*.z`)],
      [`${o}.a.z`, `${o}.a.b.z`, `${o}.z`, `${o}.a`],
      [3],
    );
    expect(pattern).toEqual([`${o}.a.z`, `${o}.a.b.z`, `${o}.z`]);
  });

  test('a message that several subscriptions match comes once to each', async () => {
    const o = unique();
    const got = await received([`${o}.a`, `${o}.+`, `${o}.#`, `${o}.a`], [`${o}.a`], [1, 1, 1, 1]);
    expect(got).toEqual([[`${o}.a`], [`${o}.a`], [`${o}.a`], [`${o}.a`]]);
  });

  test('members of a group share; the queue goes with the last of them', async () => {
    const address = unique();
    await using a = await connected(url);
    await using b = await connected(url);
    await using peer = await plain(url);
    const got = { a: 0, b: 0 };
    const options = { ...lossy, group: 'g' };
    const first = await a.transport.subscribe(address, options, () => void got.a++);
    const second = await b.transport.subscribe(address, options, () => void got.b++);
    for (let n = 0; n < 100; n++) await a.transport.publish(address, bytes(String(n)));
    await until(() => got.a + got.b === 100, { what: 'all' });
    expect(got.a).toBeGreaterThan(0);
    expect(got.b).toBeGreaterThan(0);
    await first.close();
    await second.close();
    await expect(peer.channel.checkQueue(`g:${address}:shared`)).rejects.toThrow(/NOT_FOUND/);
  });

  test('nothing published after subscribe is missed, also by a filter that was left and joined again', async () => {
    await using link = await connected(url);
    await using from = await connected(url);
    const address = unique();
    for (let round = 0; round < 20; round++) {
      let got = 0;
      const intake = await link.transport.subscribe(address, lossy, () => void got++);
      await from.transport.publish(address, bytes('x'));
      await until(() => got === 1, { what: `the message of round ${round}` });
      const left = intake.close();
      if (round % 2 === 0) await left;
    }
  });

  test('after a loss everything is there again before it is ready', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    await using link = await connected(through(proxy, url));
    await using from = await connected(url);
    const o = unique();
    const got: string[] = [];
    await link.transport.subscribe(`${o}.a`, lossy, (message) => void got.push(text(message)));
    await link.transport.subscribe(
      `${o}.*`,
      { ...lossy, group: 'g' },
      (message) => void got.push(text(message)),
    );
    await link.transport.serve(`${o}-rpc`, { maxInFlight: 1 }, () => {});
    for (let round = 0; round < 5; round++) {
      const before = link.states().filter((state) => state === 'ready').length;
      proxy.cut();
      await until(() => link.states().filter((state) => state === 'ready').length > before, {
        what: 'ready again',
      });
      got.length = 0;
      await from.transport.publish(`${o}.a`, bytes(String(round)));
      await until(() => got.length === 2, { what: 'both copies' });
      expect(got).toEqual([String(round), String(round)]);
    }
  });

  test('a queue deleted at the broker comes back', async () => {
    await using link = await connected(url);
    await using peer = await plain(url);
    const address = unique();
    let got = 0;
    await link.transport.subscribe(address, { ...lossy, group: 'g' }, () => void got++);
    await peer.channel.deleteQueue(`g:${address}:shared`);
    await until(
      async () => {
        await link.transport.publish(address, bytes('x'));
        return got > 0;
      },
      { what: 'a message by the new queue' },
    );
    expect(link.events.some(({ type }) => type === 'dropped')).toBe(true);
    expect(link.states().filter((state) => state === 'ready')).toHaveLength(1);
  });

  test('too large to take in: reported, not delivered', async () => {
    await using link = await connected(url, { maxMessageBytes: 100 });
    await using peer = await plain(url);
    const address = unique();
    const got: number[] = [];
    await link.transport.subscribe(address, lossy, (message) => void got.push(message.payload.length));
    peer.channel.publish('amq.topic', address, Buffer.alloc(300_000));
    peer.channel.publish('amq.topic', address, Buffer.alloc(100));
    await until(() => got.length === 1, { what: 'the small one' });
    expect(got).toEqual([100]);
    expect(link.events).toContainEqual(
      expect.objectContaining({ type: 'dropped', error: expect.objectContaining({ code: 'TOO_LARGE' }) }),
    );
  });

  test('a filter that cannot be bound is refused, and others go on', async () => {
    await using link = await connected(url, { exchange: `ex-${unique()}` });
    await using peer = await plain(url);
    // The exchange is taken away: bindings to it close the channel they are asked on.
    const exchange = `gone-${unique()}`;
    await using other = await connected(url, { exchange });
    await peer.channel.deleteExchange(exchange);
    expect(await rejection(other.transport.subscribe('a', lossy, () => {}))).toMatchObject({
      code: 'REFUSED',
      context: { replyCode: 404 },
    });
    expect(other.transport.status.state).toBe('ready');
    await link.transport.subscribe('a', lossy, () => {});
  });

  test("commlib-py's queue arguments: of thirty requests that wait, ten are kept", async () => {
    await using link = await connected(url, { queueArguments: 'commlib' });
    await using peer = await plain(url);
    const name = unique();
    const held: Inbound[] = [];
    await link.transport.serve(name, { maxInFlight: 1 }, (request) => void held.push(request));
    const channel = await peer.model.createConfirmChannel();
    channel.sendToQueue(name, Buffer.from('first'));
    await until(() => held.length === 1, { what: 'the one that is held' });
    for (let n = 0; n < 30; n++) channel.sendToQueue(name, Buffer.from(String(n)));
    // Only a confirmation says that the queue has them: our acknowledgement goes another way and may overtake them.
    await channel.waitForConfirms();
    for (let n = 0; n < 10; n++) {
      held[n]?.settle?.('ack');
      await until(() => held.length === n + 2, { what: 'the next one' });
    }
    expect(held.slice(1).map(text)).toEqual(Array.from({ length: 10 }, (_, n) => String(n + 20)));
  });
});
