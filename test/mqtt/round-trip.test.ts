import type { Inbound } from '@commlib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeOn,
  type MqttBroker,
  type SharedRabbitmq,
  sharedRabbitmq,
  startEmbedded,
  startMosquitto,
  until,
} from '../brokers/index.js';
import { bytes, connected, lossy, text, unique } from './links.js';

/** What must work the same on every broker and in both versions of the protocol. */
function roundTrips(url: () => string, version: 4 | 5 | 'auto', speaks: () => 4 | 5): void {
  test('speaks the version of MQTT that it should', async () => {
    await using link = await connected(url(), { version });
    const headers = link.transport.capabilities.headers;
    expect('missing' in headers ? 4 : 5).toBe(speaks());
  });

  test('a message reaches every subscriber whose filter matches, and no other', async () => {
    await using a = await connected(url(), { version });
    await using b = await connected(url(), { version });
    const got: string[] = [];
    const see = (by: string) => (message: Inbound) => got.push(`${by} ${message.address} ${text(message)}`);
    const base = `t/${unique()}`;
    await b.transport.subscribe(`${base}/+/c`, lossy, see('plus'));
    await b.transport.subscribe(`${base}/#`, lossy, see('hash'));
    await b.transport.subscribe(`${base}/x/d`, lossy, see('other'));
    await a.transport.publish(`${base}/b/c`, bytes('1'));
    await a.transport.publish(base, bytes('2'), { delivery: 'at-least-once' });
    await until(() => got.length >= 3, { what: 'three deliveries' });
    expect(got.sort()).toEqual([`hash ${base} 2`, `hash ${base}/b/c 1`, `plus ${base}/b/c 1`]);
  });

  test('a call gets its answer through the inbox', async () => {
    await using client = await connected(url(), { version });
    await using server = await connected(url(), { version });
    const address = `srv/${unique()}`;
    await server.transport.serve(address, { maxInFlight: 64 }, (request) => {
      const { replyTo, n } = JSON.parse(text(request));
      void server.transport.respond(request, { replyTo }, bytes(String(n * 2)));
    });
    const answers = new Map<string, string>();
    const inbox = await client.transport.openInbox({ prefix: 'my.inbox' }, (reply) => {
      answers.set(reply.correlationId ?? '', text(reply));
    });
    const calls = Array.from({ length: 200 }, (_, n) => ({ n, target: inbox.claim() }));
    expect(calls[0]?.target.replyTo).toMatch(/^my\/inbox\/rpc-[0-9a-f]{32}\/1$/);
    await Promise.all(
      calls.map(({ n, target }) =>
        inbox.send(address, bytes(JSON.stringify({ replyTo: target.replyTo, n })), target),
      ),
    );
    await until(() => answers.size === calls.length, { what: 'all answers' });
    for (const { n, target } of calls) expect(answers.get(target.correlationId)).toBe(String(n * 2));
  });

  test('a message kept by the broker says so, also to a second subscriber of the same topic', async () => {
    await using link = await connected(url(), { version });
    const topic = `kept/${unique()}`;
    await link.transport.publish(topic, bytes('old'), { retain: true, delivery: 'at-least-once' });
    const first: Inbound[] = [];
    const second: Inbound[] = [];
    await link.transport.subscribe(topic, lossy, (message) => first.push(message));
    await until(() => first.length === 1, { what: 'the retained message' });
    await link.transport.subscribe(topic, lossy, (message) => second.push(message));
    await until(() => second.length === 1, { what: 'the retained message for the second' });
    await link.transport.publish(topic, bytes('new'));
    await until(() => first.length >= 2 && second.length >= 2, { what: 'the live message' });
    // MQTT 5 tells for whom a retained message is: the first subscriber does not get it twice.
    if (speaks() === 5) expect(first.map(text)).toEqual(['old', 'new']);
    expect(second.map((m) => [text(m), m.retained])).toEqual([
      ['old', true],
      ['new', false],
    ]);
    await link.transport.publish(topic, new Uint8Array(), { retain: true, delivery: 'at-least-once' });
  });
}

describeOn('mosquitto', () => {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await startMosquitto();
  });
  afterAll(() => broker?.stop());
  describe('MQTT 5', () =>
    roundTrips(
      () => broker.url,
      'auto',
      () => 5,
    ));
  describe('MQTT 3.1.1', () =>
    roundTrips(
      () => broker.url,
      4,
      () => 4,
    ));
});

describe('the embedded broker', () => {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await startEmbedded();
  });
  afterAll(() => broker?.stop());
  roundTrips(
    () => broker.url,
    'auto',
    () => 4,
  );
});

describeOn('rabbitmq', () => {
  let broker: SharedRabbitmq;
  beforeAll(async () => {
    broker = await sharedRabbitmq();
  });
  // MQTT 5 since RabbitMQ 3.13.
  const speaks = () => (/^3\.(\d|1[012])\./.test(broker.version) ? 4 : 5);
  roundTrips(() => broker.mqttUrl, 'auto', speaks);
});
