import { beforeAll, expect, test } from 'vitest';
import { describeOn, sharedRabbitmq, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import {
  bytes,
  connected,
  durable,
  lossy,
  plain,
  rejection,
  settles,
  surely,
  text,
  unique,
} from './links.js';

describeOn('rabbitmq', () => {
  let url: string;
  beforeAll(async () => {
    url = (await sharedRabbitmq()).url;
  });

  test('headers, and what an AMQP peer puts into its own', async () => {
    await using link = await connected(url);
    await using peer = await plain(url);
    const address = unique();
    const got: unknown[] = [];
    await link.transport.subscribe(address, lossy, (message) => {
      got.push({ ...message.headers });
    });
    await link.transport.publish(address, bytes('1'), { headers: { trace: 'abc' } });
    // Two connections: which message is first is not said otherwise.
    await until(() => got.length === 1, { what: 'the first message' });
    // Nanoseconds in the timestamp, as commlib-py writes them: more than a double can hold exactly.
    peer.channel.publish('amq.topic', address, Buffer.from('2'), {
      headers: { n: 5, yes: true, parts: { a: 1 } },
      timestamp: 1_795_361_154_842_557_000,
    });
    await until(() => got.length === 2, { what: 'both messages' });
    expect(got).toEqual([{ trace: 'abc' }, { n: '5', yes: 'true' }]);
  });

  test('the broker drops a message that is older than asked', async () => {
    await using link = await connected(url);
    const address = unique();
    const group = unique();
    const intake = await link.transport.subscribe(address, durable(group), (message) =>
      message.settle?.('ack'),
    );
    await intake.close();
    await link.transport.publish(address, bytes('old'), { ...surely, expiresInMs: 1 });
    await link.transport.publish(address, bytes('lasting'), surely);
    const got: string[] = [];
    const again = await link.transport.subscribe(address, durable(group), (message) => {
      got.push(text(message));
      message.settle?.('ack');
    });
    await until(() => got.length > 0, { what: 'the lasting one' });
    expect(got).toEqual(['lasting']);
    await again.close({ forget: true });
  });

  test('mandatory: nobody takes it, and the publisher is told; with either delivery', async () => {
    await using link = await connected(url);
    const address = unique();
    for (const options of [{ mandatory: true }, { mandatory: true, ...surely }]) {
      expect(await rejection(link.transport.publish(address, bytes('x'), options))).toMatchObject({
        code: 'NO_RECEIVER',
      });
    }
    await link.transport.subscribe(address, lossy, () => {});
    for (const options of [{ mandatory: true }, { mandatory: true, ...surely }])
      await link.transport.publish(address, bytes('x'), options);
  });

  test('what AMQP cannot do is refused', async () => {
    await using link = await connected(url, { maxMessageBytes: 1000 });
    const { transport } = link;
    for (const options of [{ retain: true }, { key: 'k' }, { headers: { CC: 'elsewhere' } }])
      expect(await rejection(transport.publish('a', bytes('x'), options))).toMatchObject({
        code: 'UNSUPPORTED',
      });
    expect(await rejection(transport.publish('a', new Uint8Array(1001)))).toMatchObject({
      code: 'UNSUPPORTED',
    });
    expect(await rejection(transport.publish('k'.repeat(256), bytes('x')))).toMatchObject({
      code: 'INVALID_NAME',
    });
  });

  test('headers that AMQP cannot carry are an error of that message', async () => {
    await using link = await connected(url);
    const headers = { big: 'x'.repeat(200_000) };
    for (const options of [{ headers }, { headers, ...surely }])
      expect(await rejection(link.transport.publish('a', bytes('x'), options))).toBeInstanceOf(Error);
    await link.transport.publish('a', bytes('x'), surely);
    expect(link.transport.status.state).toBe('ready');
  });

  test('offline: at most once is refused, at least once waits, and all of it arrives in order', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    await using link = await connected(through(proxy, url), { maxBuffered: 50 });
    await using reader = await connected(url);
    const address = unique();
    const got: string[] = [];
    await reader.transport.subscribe(address, lossy, (message) => void got.push(text(message)));
    await proxy.refuse();
    await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
    expect(await rejection(link.transport.publish(address, bytes('x')))).toMatchObject({
      code: 'NOT_CONNECTED',
    });
    const sent = Array.from({ length: 50 }, (_, n) =>
      link.transport.publish(address, bytes(String(n)), surely),
    );
    expect(await rejection(link.transport.publish(address, bytes('x'), surely))).toMatchObject({
      code: 'BUFFER_FULL',
    });
    await proxy.accept();
    await Promise.all(sent);
    await until(() => got.length === 50, { what: 'all' });
    expect(got).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
  });

  test('what was published before the close arrives', async () => {
    await using reader = await connected(url);
    const address = unique();
    let got = 0;
    await reader.transport.subscribe(address, lossy, () => void got++);
    const link = await connected(url);
    const sent = Array.from({ length: 3000 }, () => link.transport.publish(address, bytes('x')));
    await link.transport.close({ deadlineMs: 5000 });
    await Promise.all(sent);
    await until(() => got === 3000, { what: 'all of them' });
  });

  test('half-open: what is unconfirmed is sent again over the next connection', async () => {
    await using proxy = await startProxy(Number(new URL(url).port));
    await using link = await connected(through(proxy, url), { heartbeatMs: 1000 });
    await using reader = await connected(url);
    const address = unique();
    const got: string[] = [];
    await reader.transport.subscribe(address, lossy, (message) => void got.push(text(message)));
    proxy.pause();
    const sent = link.transport.publish(address, bytes('kept'), surely);
    expect(await settles(sent, 200)).toBe(false);
    await until(() => link.transport.status.state === 'reconnecting', {
      what: 'the heartbeat that was missed',
      timeoutMs: 15_000,
    });
    proxy.cut();
    proxy.resume();
    await sent;
    await until(() => got.includes('kept'), { what: 'the message' });
  });

  test('a message the broker closes the channel over fails alone, those around it arrive', async () => {
    const exchange = `ex-${unique()}`;
    await using peer = await plain(url);
    await using link = await connected(url, { exchange });
    // Internal exchanges cannot be published to: each message to it closes the channel (403).
    await peer.channel.deleteExchange(exchange);
    const lost = Array.from({ length: 3 }, (_, n) => link.transport.publish('a', bytes(String(n)), surely));
    const errors = await Promise.all(lost.map((one) => rejection(one)));
    for (const error of errors) expect(error).toMatchObject({ code: 'REFUSED', context: { replyCode: 404 } });
    await peer.channel.assertExchange(exchange, 'topic', { autoDelete: true });
    await link.transport.publish('a', bytes('x'), surely);
    expect(link.states().filter((state) => state === 'ready')).toHaveLength(1);
    await peer.channel.deleteExchange(exchange);
  });

  test('an at-most-once message the broker closes the channel over is told as an event, and the connection lives', async () => {
    const exchange = `ex-${unique()}`;
    await using peer = await plain(url);
    await using link = await connected(url, { exchange });
    await peer.channel.deleteExchange(exchange);
    await link.transport.publish('a', bytes('x'));
    await until(() => link.events.some(({ type }) => type === 'dropped'), { what: 'the event' });
    expect(link.transport.status.state).toBe('ready');
    await peer.channel.assertExchange(exchange, 'topic', { autoDelete: true });
    await until(
      () =>
        link.transport.publish('a', bytes('x')).then(
          () => true,
          () => false,
        ),
      { what: 'another channel' },
    );
    await peer.channel.deleteExchange(exchange);
  });
});
