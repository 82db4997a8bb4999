import { anything, rpc } from '@commlib/core';
import { redis } from '@commlib/transport-redis';
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { until } from '../brokers/index.js';
import { sharedRedis } from '../brokers/shared.js';
import {
  askControl,
  callEcho,
  commonRows,
  itsControl,
  malformedRow,
  oneWorker,
  serveEcho,
  theirCalls,
} from './rows.js';
import { interop, type Row, type Setting } from './suite.js';

async function withClient<T>({ url }: Setting, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

/** 0.13.1 asks its list for 10 s at a time, and does not survive the first time that nothing comes. On a busy machine it asks late. */
const IDLE_MS = 16_000;

const idleService: Row = {
  text: 'it serves, also after 10 s without a request',
  async body(setting) {
    const at = setting.name('py.idle');
    await using _ = await setting.peer('rpc-service', at);
    await callEcho(setting, at, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    await callEcho(setting, at, 1, 1);
  },
};

const nothingLeft: Row = {
  text: 'calls in both directions leave no key behind',
  async body(setting) {
    const { name, peer } = setting;
    const [theirs, ours] = [name('py.keys'), name('ts.keys')];
    await using _ = await peer('rpc-service', theirs, ...oneWorker);
    await callEcho(setting, theirs, 20, 20);
    const service = await serveEcho(setting.node, ours);
    expect(await theirCalls(setting, ours, '--typed', '--count', '5')).toMatchObject({ ok: 5 });
    await service.close();
    await withClient(setting, async (client) => {
      expect(await client.keys(`${name('')}*.keys*`)).toEqual([]);
      // Reply lists of other rows may be there at this moment, but none that stays: each is taken or ends by itself.
      const staying = async () => {
        const lists = await client.keys('rpc-*');
        const lives = await Promise.all(lists.map((key) => client.ttl(key)));
        return lists.filter((_, i) => lives[i] === -1);
      };
      await until(async () => (await staying()).length === 0, { what: 'no reply list without an end' });
    });
  },
};

const lateAnswer: Row = {
  text: 'we serve: an answer that comes after its client gave up is not kept for ever',
  async body(setting) {
    const at = setting.name('ts.late');
    const { node } = setting;
    let answered: (() => void) | undefined;
    const gaveUp = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const text = `late ${at}`;
    const service = await node.serve(rpc(at, { request: anything, response: anything }), async () => {
      await gaveUp;
      return { seq: 0, text, n: 0 };
    });
    await using caller = await setting.begin('rpc-client', at, '--typed', '--timeout', '1');
    await caller.next('reply', undefined, 20_000);
    answered?.();
    await withClient(setting, async (client) => {
      const kept = async () => {
        for (const key of await client.keys('rpc-*')) {
          const [answer] = await client.lrange(key, 0, 0);
          if (answer?.includes(text)) return key;
        }
        return undefined;
      };
      const replyTo = await until(kept, { what: 'the late answer' });
      expect(await client.ttl(replyTo)).toBeGreaterThan(0);
    });
    await service.close();
  },
};

await interop({
  transport: 'redis',
  title: 'Redis',
  broker: 'redis',
  start: sharedRedis,
  connect: (url) => redis(url),
  rows: [
    ...commonRows,
    idleService,
    nothingLeft,
    lateAnswer,
    malformedRow((setting, at, payloads) =>
      withClient(setting, async (client) => {
        for (const payload of payloads) await client.rpush(at, Buffer.from(payload));
      }),
    ),
  ],
  cannot: [
    {
      row: itsControl,
      versions: ['0.11.5'],
      why: 'the control services of a 0.11.5 node never start: its RPC services work by `run_forever` only, which a node does not call',
      async show(setting) {
        const at = setting.name('controlled');
        await using _ = await setting.peer('node', at, '--interval', '0.2');
        await expect(askControl(setting, at, 2_000)).rejects.toMatchObject({ code: 'TIMEOUT' });
        expect(await theirCalls(setting, `${at}.start`, '--timeout', '2')).toMatchObject({ timeout: 1 });
      },
    },
    {
      row: idleService,
      versions: ['0.13.1'],
      why: 'a service of 0.13.1 ends after 10 s without a request (a `BLPOP` that brings nothing ends its thread)',
      async show(setting) {
        const at = setting.name('py.idle');
        await using _ = await setting.peer('rpc-service', at);
        await callEcho(setting, at, 1, 1);
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        await expect(callEcho(setting, at, 1, 1)).rejects.toMatchObject({ code: 'TIMEOUT' });
      },
    },
  ],
});
