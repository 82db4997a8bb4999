import { anything, type Inbound, Node, type NodeEvent, rpc, ServiceError } from '@commlib/core';
import { redis } from '@commlib/transport-redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeOn, type RedisServer, startRedis, until } from '../brokers/index.js';
import { bytes, connected, rejection, text, unique } from './links.js';

const contract = (name: string) => rpc(name, { request: anything, response: anything });

describeOn(
  'redis',
  () => {
    describe('calls over lists', () => {
      let server: RedisServer;
      let raw: Redis;
      const nodes: Node[] = [];
      beforeAll(async () => {
        server = await startRedis({ own: true });
        raw = new Redis(server.url);
        raw.on('error', () => {});
      });
      afterAll(async () => {
        raw?.disconnect();
        await Promise.all(nodes.map((node) => node.close({ deadlineMs: 500 })));
        await server?.stop();
      });

      const start = async (events: NodeEvent[] = []) => {
        const node = new Node({ transport: redis(server.url), onEvent: (event) => events.push(event) });
        nodes.push(node);
        return node.start();
      };

      /** A node whose inbox is open: the time of the call that opens it runs meanwhile. */
      const startCaller = async () => {
        const node = await start();
        const echo = contract(unique());
        await node.serve(echo, (data) => data);
        await node.client(echo).call({});
        return node;
      };

      /** A service as commlib-py's: pops one element, answers to the list the header names. */
      const pythonService = async (name: string, answer: (data: unknown) => unknown) => {
        const client = new Redis(server.url);
        client.on('error', () => {});
        let open = true;
        const seen: string[] = [];
        const loop = (async () => {
          while (open) {
            const element = await client.blpop(name, 1).catch(() => null);
            if (!element) continue;
            seen.push(element[1]);
            const { header, data } = JSON.parse(element[1]);
            const response = { header: { reply_to: '', timestamp: 1 }, data: answer(data) };
            await raw.rpush(header.reply_to, JSON.stringify(response));
          }
        })();
        return {
          seen,
          async stop() {
            open = false;
            client.disconnect();
            await loop;
          },
        };
      };

      /** A call as commlib-py's client makes it. */
      const pythonCall = async (name: string, data: unknown, replyTo = `rpc-${unique()}`) => {
        const client = new Redis(server.url);
        const header = {
          reply_to: replyTo,
          timestamp: 1,
          content_type: 'json',
          encoding: 'utf8',
          agent: 'commlib',
        };
        await client.rpush(name, JSON.stringify({ header, data }));
        const answer = await client.blpop(replyTo, 5);
        client.disconnect();
        return answer && JSON.parse(answer[1]);
      };

      test('2000 calls, 200 in flight, on three connections per node: each gets its own answer', async () => {
        const [client, service] = [await start(), await start()];
        const echo = contract(unique());
        await service.serve(echo, async (data) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
          return data;
        });
        const caller = client.client(echo);
        let next = 0;
        const wrong: unknown[] = [];
        const worker = async () => {
          for (let n = next++; n < 2_000; n = next++) {
            const answer = await caller.call({ n });
            if (JSON.stringify(answer) !== JSON.stringify({ n })) wrong.push([n, answer]);
          }
        };
        await Promise.all(Array.from({ length: 200 }, worker));
        expect(wrong).toEqual([]);
        expect(await raw.keys('rpc-*')).toEqual([]);
      });

      test('a Python service answers on a list per call; all calls in flight together', async () => {
        const client = await start();
        const name = unique();
        const service = await pythonService(name, (data) => data);
        const caller = client.client(contract(name));
        const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => caller.call({ n })));
        expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => ({ n })));
        expect(JSON.parse(service.seen[0] ?? '').header).toMatchObject({
          content_type: 'json',
          encoding: 'utf8',
        });
        await service.stop();
        expect(await raw.keys('rpc-*')).toEqual([]);
      });

      test('a Python service beside ours on one list: every call is answered, whoever takes it', async () => {
        const [client, ours] = [await start(), await start()];
        const name = unique();
        await ours.serve(contract(name), () => ({ by: 'us' }));
        const caller = client.client(contract(name));
        expect(await caller.call({})).toEqual({ by: 'us' });
        const python = await pythonService(name, () => ({ by: 'python' }));
        const by = new Set<string>();
        await until(
          async () => {
            const answers = await Promise.all(
              Array.from({ length: 10 }, () => caller.call({}, { timeoutMs: 5_000 })),
            );
            for (const answer of answers) by.add(JSON.stringify(answer));
            return by.size === 2;
          },
          { what: 'answers of both', timeoutMs: 20_000 },
        );
        await python.stop();
      });

      test('a Python client is answered on the list it names, which expires; QueueInit and rubbish do no harm', async () => {
        const events: NodeEvent[] = [];
        const service = await start(events);
        const name = unique();
        await raw.rpush(name, 'QueueInit');
        await service.serve(contract(name), (data: unknown) => ({ got: data }));
        await raw.rpush(name, 'no json', '[]', '{"header":{}}', 'QueueInit', Buffer.from([0xff, 0xfe]));
        expect(await pythonCall(name, { a: 1 })).toMatchObject({
          header: { reply_to: '' },
          data: { got: { a: 1 } },
        });
        await until(() => events.filter(({ type }) => type === 'dropped').length === 4, {
          what: 'four reports',
        });
        // Nobody collects this one.
        const header = { reply_to: `rpc-${unique()}` };
        await raw.rpush(name, JSON.stringify({ header, data: {} }));
        await until(() => raw.exists(header.reply_to), { what: 'the answer' });
        const ttl = await raw.pttl(header.reply_to);
        expect(ttl).toBeGreaterThan(30_000);
        expect(ttl).toBeLessThanOrEqual(60_000);
        await raw.del(header.reply_to);
      });

      test('a failing handler: our client gets the error, a Python client an empty object', async () => {
        const [client, service] = [await start(), await start()];
        const name = unique();
        await service.serve(contract(name), () => {
          throw new ServiceError('NO_APPLES', 'none left');
        });
        expect(await rejection(client.client(contract(name)).call({}))).toMatchObject({ code: 'NO_APPLES' });
        expect(await pythonCall(name, {})).toMatchObject({ data: {} });
      });

      test('requests wait for their service; those whose caller has given up by then are not executed', async () => {
        const client = await startCaller();
        const name = unique();
        const caller = client.client(contract(name));
        const early = caller.call({ n: 1 }, { timeoutMs: 20_000 });
        expect(await rejection(caller.call({ n: 2 }, { timeoutMs: 50 }))).toMatchObject({ code: 'TIMEOUT' });
        await until(async () => (await raw.llen(name)) === 2, { what: 'both requests in the list' });
        const events: NodeEvent[] = [];
        const service = await start(events);
        const executed: unknown[] = [];
        await service.serve(contract(name), (data) => {
          executed.push(data);
          return {};
        });
        await early;
        await until(() => events.some((e) => e.type === 'dropped' && e.error.code === 'EXPIRED_REQUEST'), {
          what: 'the refusal',
        });
        expect(executed).toEqual([{ n: 1 }]);
      });

      test('a late answer of a Python service is collected, and leaves no list', async () => {
        const client = await startCaller();
        const name = unique();
        expect(await rejection(client.client(contract(name)).call({}, { timeoutMs: 50 }))).toMatchObject({
          code: 'TIMEOUT',
        });
        const service = await pythonService(name, () => ({}));
        await until(() => service.seen.length === 1, { what: 'the request' });
        await until(async () => client.counters.lateReplies === 1 && (await raw.keys('rpc-*')).length === 0, {
          what: 'no list',
        });
        await service.stop();
      });

      test('services compete; one that is full leaves requests to the others, and no more than its limit is taken', async () => {
        await using a = await connected(server.url);
        await using b = await connected(server.url);
        const name = unique();
        const [ofA, ofB]: Inbound[][] = [[], []];
        await a.transport.serve(name, { maxInFlight: 2 }, (request) => ofA?.push(request));
        for (let i = 0; i < 5; i++) await raw.rpush(name, String(i));
        await until(() => ofA?.length === 2, { what: 'two' });
        expect(await raw.llen(name)).toBe(3);
        await b.transport.serve(name, { maxInFlight: 2 }, (request) => ofB?.push(request));
        await until(() => ofB?.length === 2, { what: 'two more' });
        expect(await raw.llen(name)).toBe(1);
        ofA?.[0]?.settle?.('ack');
        await until(() => ofA?.length === 3, { what: 'the last' });
        expect([...(ofA ?? []), ...(ofB ?? [])].map(text).sort()).toEqual(['0', '1', '2', '3', '4']);
      });

      test('one busy service among many does not keep the others waiting', async () => {
        await using link = await connected(server.url);
        const busy = unique();
        let served = 0;
        await link.transport.serve(busy, { maxInFlight: 1 }, (request) => {
          served++;
          request.settle?.('ack');
        });
        const others = Array.from({ length: 20 }, () => unique());
        const got: string[] = [];
        for (const name of others)
          await link.transport.serve(name, { maxInFlight: 1 }, (request) => {
            got.push(request.address);
            request.settle?.('ack');
          });
        await raw.rpush(busy, ...Array.from({ length: 3_000 }, () => 'x'));
        for (const name of others) await raw.rpush(name, 'x');
        await until(() => got.length === 20, { what: 'all the others' });
        expect(served).toBeLessThan(3_000);
      });

      test('closing a service: what it had not taken stays in the list, what it took may be answered', async () => {
        await using link = await connected(server.url);
        const name = unique();
        const got: Inbound[] = [];
        const intake = await link.transport.serve(name, { maxInFlight: 1 }, (request) => got.push(request));
        await raw.rpush(name, '1', '2');
        await until(() => got.length === 1, { what: 'the first' });
        const closing = intake.close();
        await link.transport.respond(got[0] as Inbound, { replyTo: `${name}/answer` }, bytes('done'));
        expect(await raw.lpop(`${name}/answer`)).toBe('done');
        got[0]?.settle?.('ack');
        await closing;
        await raw.rpush(name, '3');
        expect(await raw.lrange(name, 0, -1)).toEqual(['2', '3']);
      });

      test('a key of another type, an unusable reply address and other modes are told', async () => {
        await using link = await connected(server.url);
        const name = unique();
        await raw.set(name, 'a string');
        expect(await rejection(link.transport.serve(name, { maxInFlight: 1 }, () => {}))).toMatchObject({
          code: 'WRONG_TYPE',
        });
        const inbox = await link.transport.openInbox({}, () => {});
        expect(await rejection(inbox.send(name, bytes('x'), inbox.claim()))).toMatchObject({
          code: 'WRONG_TYPE',
        });
        const all = link.transport.serve(unique(), { maxInFlight: 1, mode: 'all' }, () => {});
        expect(await rejection(all)).toMatchObject({ code: 'UNSUPPORTED' });
        expect(() => link.transport.names.checkReply?.('a/+')).toThrow(/wildcards/);
      });

      test('inbox prefix: addresses begin with it', async () => {
        await using link = await connected(server.url);
        const inbox = await link.transport.openInbox({ prefix: 'users/me' }, () => {});
        expect(inbox.claim().replyTo).toMatch(/^users\/me\/rpc-[0-9a-f]{32}\/all\/1$/);
        await inbox.close();
      });

      test('closing leaves no keys behind', async () => {
        const before = await raw.keys('*');
        {
          const [client, service] = [await start(), await start()];
          const name = unique();
          await service.serve(contract(name), () => ({}));
          await client.client(contract(name)).call({});
          await Promise.all([client.close(), service.close()]);
        }
        expect(
          (await raw.keys('*')).filter((key) => !before.includes(key) && !key.startsWith('commlib:wake:')),
        ).toEqual([]);
      });
    });
  },
  { own: true },
);
