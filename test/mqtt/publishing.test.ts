import { CommlibError, type Inbound } from '@commlib/core';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto, until } from '../brokers/index.js';
import { startProxy, through } from '../faults/proxy.js';
import { bytes, connected, lossy, rejection, text, unique } from './links.js';

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      // A subscriber that is slower than the publisher shall not make the broker drop messages, and tens of thousands
      // shall not go by twenties; still fewer than the largest burst of MQTT 5, which must keep to the limit.
      broker = await startMosquitto({
        own: true,
        config: ['max_queued_messages 0', 'max_inflight_messages 1000'],
      });
    });
    afterAll(() => broker?.stop());

    test.for([5, 4] as const)(
      'MQTT %i: a confirmed round trip takes milliseconds, not Nagle’s forty',
      async (version) => {
        await using link = await connected(broker.url, { version });
        const topic = unique();
        let arrived: () => void = () => {};
        await link.transport.subscribe(topic, { ...lossy, native: { mqtt: { qos: 1 } } }, () => arrived());
        const median = async () => {
          const times: number[] = [];
          for (let i = 0; i < 60; i++) {
            const start = performance.now();
            const arrival = new Promise<void>((resolve) => {
              arrived = resolve;
            });
            await link.transport.publish(topic, bytes('x'), { delivery: 'at-least-once' });
            await arrival;
            times.push(performance.now() - start);
          }
          return times.sort((a, b) => a - b)[30] ?? Number.NaN;
        };
        // The best of three: a busy machine is slow now and then, Nagle always.
        expect(Math.min(await median(), await median(), await median())).toBeLessThan(35);
      },
    );

    test.for([
      [40, {}],
      [40, { headers: { a: 'b' } }],
      [40_000, {}],
      [40_000, { headers: { a: 'b' } }],
      [40_000, { delivery: 'at-least-once' }],
    ] as const)(
      'memory of %i bytes that is filled anew once publish() resolved: %j',
      async ([size, options]) => {
        await using link = await connected(broker.url);
        const topic = unique();
        const got: string[] = [];
        await link.transport.subscribe(topic, lossy, (m) => got.push([...new Set(m.payload)].join()));
        // A Buffer, whose slice() is no copy.
        const payload = Buffer.alloc(size);
        for (let i = 0; i < 5; i++) await link.transport.publish(topic, payload.fill(i), options);
        payload.fill(9);
        await until(() => got.length === 5, { what: 'all of them' });
        expect(got).toEqual(['0', '1', '2', '3', '4']);
      },
    );

    test.for([5, 4] as const)(
      'MQTT %i: 5000 messages of QoS 2 at once: none is refused, none is lost',
      async (version) => {
        await using from = await connected(broker.url, { version });
        await using to = await connected(broker.url, { version });
        const topic = unique();
        const got = new Set<string>();
        await to.transport.subscribe(topic, { ...lossy, native: { mqtt: { qos: 2 } } }, (m) =>
          got.add(text(m)),
        );
        const sent = Array.from({ length: 5000 }, (_, i) =>
          from.transport.publish(topic, bytes(String(i)), {
            delivery: 'at-least-once',
            native: { mqtt: { qos: 2 } },
          }),
        );
        await Promise.all(sent);
        await until(() => got.size === 5000, { what: 'all 5000' });
      },
    );

    test('70 000 messages while offline: what was accepted arrives, the rest is refused, nothing is lost silently', async () => {
      await using proxy = await startProxy(broker.port);
      await using from = await connected(through(proxy, broker.url), { version: 4, maxBuffered: 66_000 });
      await using to = await connected(broker.url, { version: 4 });
      const topic = unique();
      const got = new Set<string>();
      await to.transport.subscribe(topic, { ...lossy, native: { mqtt: { qos: 1 } } }, (m) =>
        got.add(text(m)),
      );
      await proxy.refuse();
      await until(() => from.transport.status.state === 'reconnecting', { what: 'the loss' });
      const accepted: string[] = [];
      const refused: unknown[] = [];
      const all = Array.from({ length: 70_000 }, (_, i) =>
        from.transport.publish(topic, bytes(String(i)), { delivery: 'at-least-once' }).then(
          () => accepted.push(String(i)),
          (error) => refused.push(error),
        ),
      );
      await until(() => refused.length === 4_000, { what: 'the refusals' });
      expect(refused.every((error) => CommlibError.is(error, 'BUFFER_FULL'))).toBe(true);
      await proxy.accept();
      await Promise.all(all);
      expect(accepted.length).toBe(66_000);
      await until(() => accepted.every((one) => got.has(one)), {
        what: 'all accepted messages',
        timeoutMs: 20_000,
      });
    }, 90_000);

    test('20 000 messages nobody waited for, on a congested link: they wait for it, and Node warns of no leak', async () => {
      const warnings: Error[] = [];
      const warned = (warning: Error) => warnings.push(warning);
      process.on('warning', warned);
      try {
        await using proxy = await startProxy(broker.port);
        await using link = await connected(through(proxy, broker.url));
        proxy.pause();
        const payload = new Uint8Array(1000);
        let done = 0;
        const all = Array.from({ length: 20_000 }, () =>
          link.transport.publish('congested', payload).then(() => {
            done++;
          }),
        );
        // The network takes some; most must wait.
        await link.transport
          .publish('small', new Uint8Array(), { signal: AbortSignal.timeout(200) })
          .catch(() => {});
        expect(done).toBeLessThan(10_000);
        proxy.resume();
        await Promise.all(all);
        expect(warnings).toEqual([]);
      } finally {
        process.off('warning', warned);
      }
    });

    test('at most once while offline: refused at once', async () => {
      await using proxy = await startProxy(broker.port);
      await using link = await connected(through(proxy, broker.url));
      await proxy.refuse();
      await until(() => link.transport.status.state === 'reconnecting', { what: 'the loss' });
      expect(await rejection(link.transport.publish('a', bytes('x')))).toMatchObject({
        code: 'NOT_CONNECTED',
      });
      const inbox = rejection(
        link.transport.respond(
          { address: '', payload: bytes(''), retained: false },
          { replyTo: 'a' },
          bytes('x'),
        ),
      );
      expect(await inbox).toMatchObject({ code: 'NOT_CONNECTED' });
    });

    test('across a cut in the middle every confirmed message arrives, in order', async () => {
      await using proxy = await startProxy(broker.port);
      await using from = await connected(through(proxy, broker.url));
      await using to = await connected(broker.url);
      const topic = unique();
      const got: number[] = [];
      await to.transport.subscribe(topic, { ...lossy, native: { mqtt: { qos: 1 } } }, (m) =>
        got.push(Number(text(m))),
      );
      const all: Promise<void>[] = [];
      for (let i = 0; i < 3000; i++) {
        all.push(from.transport.publish(topic, bytes(String(i)), { delivery: 'at-least-once' }));
        if (i === 500 || i === 1500) {
          await until(() => got.length > i / 2, { what: 'half of them' });
          proxy.cut();
        }
      }
      await Promise.all(all);
      await until(() => new Set(got).size === 3000, { what: 'all 3000' });
      // A message may come twice, but the first time each comes it is in its place.
      const firsts = [...new Set(got)];
      expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
      expect(from.states()).toContain('reconnecting');
    });

    test('a topic with wildcards or a hostile reply address never reaches the broker', async () => {
      await using link = await connected(broker.url);
      const request: Inbound = { address: 'a', payload: bytes(''), retained: false };
      for (const bad of ['a/+', 'a/#', '#', '', 'a\0b', 'x'.repeat(70_000), 'ü'.repeat(40_000), '\ud800']) {
        for (const send of [
          () => link.transport.publish(bad, bytes('x')),
          () => link.transport.publish(bad, bytes('x'), { delivery: 'at-least-once' }),
          () => link.transport.respond(request, { replyTo: bad }, bytes('x')),
        ]) {
          expect(await rejection(send())).toMatchObject({ code: 'INVALID_NAME' });
        }
      }
      expect(
        await rejection(link.transport.respond(request, { replyTo: '$SYS/x' }, bytes('x'))),
      ).toMatchObject({
        code: 'INVALID_NAME',
      });
      await link.transport.publish('still/there', bytes('x'), { delivery: 'at-least-once' });
      expect(link.states()).toEqual(['connecting', 'ready']);
    });

    test('a client of MQTT 5 that asks in its own way gets its correlation data back, byte by byte', async () => {
      await using server = await connected(broker.url);
      const address = unique();
      await server.transport.serve(address, { maxInFlight: 8 }, (request) => {
        const { replyTo = '', correlationId } = request;
        void server.transport.respond(request, { replyTo, correlationId }, bytes('answer'));
      });
      const client = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
      try {
        const inbox = unique();
        const correlationData = Buffer.from([0, 1, 127, 128, 255]);
        const answer = new Promise<Buffer | undefined>((resolve) => {
          client.once('message', (_topic, _payload, packet) => resolve(packet.properties?.correlationData));
        });
        await client.subscribeAsync(inbox);
        await client.publishAsync(address, 'x', { properties: { responseTopic: inbox, correlationData } });
        expect(await answer).toEqual(correlationData);
      } finally {
        await client.endAsync(true);
      }
    });

    test('headers and expiry travel on MQTT 5 and are refused with a reason on 3.1.1', async () => {
      await using five = await connected(broker.url);
      await using three = await connected(broker.url, { version: 4 });
      const got: Inbound[] = [];
      const topic = unique();
      await five.transport.subscribe(topic, lossy, (message) => got.push(message));
      const headers = { trace: 'abc', ['__proto__']: 'data', naïve: 'ß' };
      await five.transport.publish(topic, bytes('x'), { headers, expiresInMs: 60_000 });
      await until(() => got.length === 1, { what: 'the message' });
      expect(Object.entries(got[0]?.headers ?? {}).sort()).toEqual(Object.entries(headers).sort());
      for (const options of [{ headers: { a: 'b' } }, { expiresInMs: 1000 }, { key: 'k' }]) {
        expect(await rejection(three.transport.publish(topic, bytes('x'), options))).toMatchObject({
          code: 'UNSUPPORTED',
        });
      }
    });
  },
  { own: true },
);

describeOn(
  'mosquitto',
  () => {
    test('a message too large for the broker: refused on MQTT 5, on 3.1.1 given up with a reason', async () => {
      await using broker = await startMosquitto({ own: true, config: ['max_packet_size 2000'] });
      const large = new Uint8Array(5000);
      await using five = await connected(broker.url);
      const refused = rejection(five.transport.publish('a', large, { delivery: 'at-least-once' }));
      expect(await refused).toMatchObject({ code: 'UNSUPPORTED' });
      const headers = { much: 'x'.repeat(3000) };
      expect(await rejection(five.transport.publish('a', bytes('x'), { headers }))).toMatchObject({
        code: 'UNSUPPORTED',
      });
      // Up to the limit it goes.
      await five.transport.publish('a'.repeat(400), new Uint8Array(1500), { delivery: 'at-least-once' });
      expect(five.states()).toEqual(['connecting', 'ready']);
      await using three = await connected(broker.url, { version: 4, backoff: { minMs: 1, maxMs: 5 } });
      const lost = await rejection(three.transport.publish('a', large, { delivery: 'at-least-once' }));
      expect(lost).toMatchObject({ code: 'CONNECTION_LOST' });
      // Then it comes to rest.
      await until(() => three.transport.status.state === 'ready', { what: 'ready again' });
      await three.transport.publish('a', new Uint8Array(10), { delivery: 'at-least-once' });
    }, 90_000);

    test('a publish the ACL forbids says so on MQTT 5', async () => {
      await using broker = await startMosquitto({ own: true, acl: ['topic readwrite ok/#'] });
      await using link = await connected(broker.url);
      await link.transport.publish('ok/a', bytes('x'), { delivery: 'at-least-once' });
      const refused = await rejection(
        link.transport.publish('no/a', bytes('x'), { delivery: 'at-least-once' }),
      );
      expect(refused).toMatchObject({ code: 'NOT_AUTHORIZED' });
      expect(String(refused)).toContain('no/a');
    }, 90_000);
  },
  { own: true },
);
