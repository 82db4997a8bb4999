import { anything, Node, rpc } from '@commlib/core';
import { redis } from '@commlib/transport-redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../brokers/index.js';
import { recordUse } from '../brokers/record.js';
import { bytes, connected, connecting, durable, lossy, rejection, surely, text, unique } from './links.js';
import { nativeRedis, startCluster, startWatched, type Watched } from './servers.js';

const native = await nativeRedis();
if ('why' in native) {
  recordUse({ broker: 'redis', version: '-', source: 'missing', why: native.why });
  console.warn(`not run: Redis Cluster and Sentinel: ${native.why}`);
}

const contract = () => rpc(unique(), { request: anything, response: anything });

describe.runIf('program' in native)('Redis Cluster', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());
  const url = () => cluster.urls[0] ?? '';

  test('messages, patterns, calls and streams, whatever slots their names have', async () => {
    await using a = await connected(url(), { cluster: true });
    await using b = await connected(cluster.urls[1] ?? '', { cluster: true });
    const base = unique();
    const got: string[] = [];
    const filter = a.transport.names.filter({ text: `${base}.p.+`, kind: 'plain' });
    await a.transport.subscribe(filter, lossy, (message) => got.push(`pattern ${message.address}`));
    const expected: string[] = [];
    for (let i = 0; i < 12; i++) {
      const topic = `${base}.${i}`;
      await a.transport.subscribe(topic, lossy, (message) => got.push(`message ${message.address}`));
      await a.transport.subscribe(topic, durable('g'), (message) => {
        got.push(`entry ${message.address}`);
        message.settle?.('ack');
      });
      await b.transport.publish(topic, bytes('x'));
      await b.transport.publish(topic, bytes('x'), surely);
      await b.transport.publish(`${base}.p.${i}`, bytes('x'));
      expected.push(`message ${topic}`, `entry ${topic}`, `pattern ${base}.p.${i}`);
    }
    await until(() => got.length === expected.length, { what: 'all messages' });
    expect(got.sort()).toEqual(expected.sort());
  });

  test('calls of our services and of a Python service', async () => {
    const client = await new Node({ transport: redis(url(), { cluster: true }) }).start();
    const service = await new Node({ transport: redis(url(), { cluster: true }) }).start();
    for (let i = 0; i < 6; i++) {
      const echo = contract();
      await service.serve(echo, (data) => data);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => client.client(echo).call({ n })),
      );
      expect(answers).toEqual(Array.from({ length: 20 }, (_, n) => ({ n })));
    }
    const python = contract();
    const calling = client.client(python).call({ a: 1 });
    // What commlib-py does, at whichever node has the key.
    for (const node of cluster.urls) {
      const raw = new Redis(node);
      const element = await raw.lpop(python.name.text).catch(() => null);
      raw.disconnect();
      if (element === null) continue;
      const replyTo = JSON.parse(element).header.reply_to;
      for (const other of cluster.urls) {
        const there = new Redis(other);
        await there.rpush(replyTo, JSON.stringify({ header: {}, data: { b: 2 } })).catch(() => null);
        there.disconnect();
      }
    }
    expect(await calling).toEqual({ b: 2 });
    await Promise.all([client.close(), service.close()]);
  });

  test('a slot that moves to another node: the connection is made anew, and all goes on', async () => {
    await using a = await connected(url(), { cluster: true });
    const topic = unique();
    const got: string[] = [];
    await a.transport.subscribe(topic, durable('g'), (message) => {
      got.push(text(message));
      message.settle?.('ack');
    });
    await a.transport.publish(topic, bytes('before'), surely);
    await until(() => got.length === 1, { what: 'the first' });
    await moveSlot(cluster.urls, `stream:${topic}`);
    await a.transport.publish(topic, bytes('after'), surely);
    await until(() => got.length === 2, { what: 'the second' });
    expect(got).toEqual(['before', 'after']);
  });

  test('a node that is gone: the others are asked; without all slots there is no connection, and it says so', async () => {
    const nodes = cluster.urls.slice(1).map((one) => one.replace('redis://', ''));
    await cluster.servers[0]?.stop('SIGKILL');
    const other = new Redis(cluster.urls[1] ?? '');
    await until(async () => String(await other.call('CLUSTER', 'INFO')).includes('cluster_state:fail'), {
      what: 'the cluster to notice',
      timeoutMs: 20_000,
    });
    other.disconnect();
    const transport = redis(url(), { cluster: { nodes } });
    const error = await rejection(transport.connect(connecting));
    expect(error).toMatchObject({ code: 'CONNECTION_REFUSED', permanent: false });
    await transport.close({ deadlineMs: 100 });
  });
});

/** Moves the slot of a key, with what is in it, from its node to another, as `redis-cli --cluster reshard` does. */
async function moveSlot(urls: readonly string[], key: string): Promise<void> {
  const nodes = await Promise.all(
    urls.map(async (url) => {
      const client = new Redis(url);
      return { client, port: new URL(url).port, id: String(await client.call('CLUSTER', 'MYID')) };
    }),
  );
  const [one] = nodes;
  const slot = Number(await one?.client.call('CLUSTER', 'KEYSLOT', key));
  const owners = await Promise.all(
    nodes.map(async ({ client }) => (await client.exists(key).catch(() => 0)) === 1),
  );
  const from = nodes[owners.indexOf(true)];
  const to = nodes[(owners.indexOf(true) + 1) % nodes.length];
  if (!from || !to) throw new Error('nobody has the key');
  await to.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id);
  await from.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id);
  for (;;) {
    const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
    if (keys.length === 0) break;
    await from.client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
  }
  for (const { client } of [to, from, ...nodes]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', to.id);
  for (const { client } of nodes) client.disconnect();
}

describe.runIf('program' in native)('Redis Sentinel', () => {
  let watched: Watched;
  beforeAll(async () => {
    watched = await startWatched();
  });
  afterAll(() => watched?.[Symbol.asyncDispose]());

  const sentinel = () => {
    const [first, ...more] = watched.sentinels;
    return { url: `redis://127.0.0.1:${first}`, nodes: more.map((port) => `127.0.0.1:${port}`) };
  };

  test('a name the sentinels do not know is told', async () => {
    const transport = redis(sentinel().url, { sentinel: { name: 'nobody' } });
    expect(await rejection(transport.connect(connecting))).toMatchObject({ code: 'CONNECTION_REFUSED' });
    await transport.close({ deadlineMs: 100 });
  });

  test('the master is killed: the new one is found, everything restored, no message is missing that was confirmed', async () => {
    const { url, nodes } = sentinel();
    await using a = await connected(url, { sentinel: { name: 'main', nodes } });
    const [topic, live] = [unique(), unique()];
    const got = new Set<string>();
    await a.transport.subscribe(live, lossy, (message) => got.add(text(message)));
    await a.transport.subscribe(topic, durable('g'), (message) => {
      got.add(text(message));
      message.settle?.('ack');
    });
    await a.transport.publish(topic, bytes('before'), surely);
    await until(() => got.has('before'), { what: 'the first' });
    await watched.master.stop('SIGKILL');
    const sending = a.transport.publish(topic, bytes('after'), surely);
    await sending;
    await until(() => got.has('after'), { what: 'the message after the failover', timeoutMs: 20_000 });
    await until(() => a.transport.status.state === 'ready', { what: 'ready again' });
    await a.transport.publish(live, bytes('live'));
    await until(() => got.has('live'), { what: 'a message at most once' });
    expect([...got]).toEqual(['before', 'after', 'live']);
  });
});
