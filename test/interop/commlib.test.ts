import { anything, commlibPattern, Node, type NodeEvent, rpc, topic } from '@commlib/core';
import { SimulatedBot } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn } from '../brokers/describe-on.js';
import { type MqttBroker, startMosquitto } from '../brokers/index.js';
import { recordUse } from '../brokers/record.js';
import { describePeer } from './describe-peer.js';
import { Matrix } from './matrix.js';
import { commlibVersions, type PeerRole, type PythonPeer, startPeer } from './python-peer.js';

const matrix = new Matrix('commlib-py over MQTT');
afterAll(() => matrix.print());

const echoed = z.looseObject({ seq: z.number(), echo: z.looseObject({ seq: z.number() }) });
const typed = z.object({ seq: z.number(), text: z.string(), n: z.number() });

for (const version of commlibVersions) {
  await describePeer(`commlib-py-${version}`, () => {
    describeOn(
      'mosquitto',
      () => {
        let broker: MqttBroker;
        let node: Node;
        const problems: (NodeEvent & { endpoint: string })[] = [];

        beforeAll(async () => {
          broker = await startMosquitto({ own: true });
          node = await new Node({
            transport: mqtt(broker.url),
            onEvent: (e) => 'endpoint' in e && problems.push(e),
          }).start();
          recordUse({ broker: 'commlib-py', version, source: 'PyPI' });
        });
        afterAll(async () => {
          await node?.close();
          await broker?.stop();
        });

        const peer = async (role: PeerRole, name: string, ...args: string[]) => {
          const started = await startPeer({
            version,
            transport: 'mqtt',
            role,
            name,
            port: broker.port,
            args,
          });
          await started.ready();
          return started;
        };
        const row = (what: string, body: () => Promise<void>) =>
          test(what, () => matrix.cell(what, version, body), 60_000);

        row('their RPC service answers our client: 200 calls, 50 at once, each its own answer', async () => {
          await using _ = await peer('rpc-service', 'srv.echo');
          const client = node.client(rpc('srv.echo', { request: anything, response: echoed }));
          for (let round = 0; round < 4; round++) {
            const seqs = Array.from({ length: 50 }, (_item, i) => round * 50 + i);
            const answers = await Promise.all(
              seqs.map((seq) => client.call({ seq, sleep: (seq % 3) / 100 })),
            );
            expect(answers.map((answer) => [answer.seq, answer.echo.seq])).toEqual(
              seqs.map((seq) => [seq, seq]),
            );
          }
        });

        row('their typed service: negative integers, slashes, Unicode', async () => {
          await using _ = await peer('rpc-service', 'srv.typed', '--typed');
          const client = node.client(rpc('srv.typed', { request: anything, response: typed }));
          const request = { seq: 1, text: 'a/b "é" 😀', n: -5 };
          expect(await client.call(request)).toEqual(request);
        });

        row('their failing handler: our call times out, the next one is answered', async () => {
          await using _ = await peer('rpc-service', 'srv.fails');
          const client = node.client(rpc('srv.fails', { request: anything, response: echoed }));
          await expect(client.call({ seq: 1, fail: 'value' }, { timeoutMs: 500 })).rejects.toMatchObject({
            code: 'TIMEOUT',
          });
          expect(await client.call({ seq: 2 })).toMatchObject({ seq: 2 });
        });

        row('our service answers their client: 60 calls, 10 clients at once', async () => {
          const service = await node.serve(
            rpc('srv.ours', { request: z.looseObject({ seq: z.number() }), response: anything }),
            ({ seq }) => ({ seq }),
          );
          const flags = version === '0.13.2' ? ['--typed'] : [];
          await using caller = await peer(
            'rpc-client',
            'srv.ours',
            '--count',
            '60',
            '--concurrency',
            '10',
            '--own-clients',
            ...flags,
          );
          const { ok, wrong, timeout, error } = await caller.next('done', undefined, 25_000);
          expect({ ok, wrong, timeout, error }).toEqual({ ok: 60, wrong: 0, timeout: 0, error: 0 });
          await service.close();
        });

        row('our failing handler: their call times out, as with a service of their own', async () => {
          const service = await node.serve(rpc('srv.bad', { request: anything, response: anything }), () => {
            throw new Error('asked to fail');
          });
          await using caller = await peer('rpc-client', 'srv.bad', '--typed', '--timeout', '1');
          expect(await caller.next('reply')).toMatchObject({ outcome: 'timeout' });
          await service.close();
        });

        row('they publish, we subscribe: exactly, with + and #, and with a pattern of theirs', async () => {
          const seen: string[] = [];
          const subscribers = await Promise.all(
            (['py.sensors.front', 'py/+/front', 'py.#', commlibPattern('py.sensors.*')] as const).map(
              (name, i) =>
                node.subscribe(
                  topic(name, z.looseObject({ seq: z.number(), n: z.number() })),
                  ({ seq, n }, { address }) => {
                    seen.push(`${i} ${address} ${seq} ${n}`);
                  },
                ),
            ),
          );
          await using _ = await peer(
            'publish',
            'py.sensors.front',
            '--count',
            '2',
            '--interval',
            '0.01',
            '--data',
            '{"n":-7}',
          );
          await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(8);
          const expected = [0, 1, 2, 3].flatMap((i) =>
            [0, 1].map((seq) => `${i} py/sensors/front ${seq} -7`),
          );
          expect(seen.sort()).toEqual(expected);
          for (const subscriber of subscribers) await subscriber.close();
        });

        row('we publish, they subscribe: the same values arrive', async () => {
          await using listener = await peer(
            'subscribe',
            'ts.sensors.front',
            '--count',
            '1',
            '--timeout',
            '15',
          );
          const data = {
            seq: 3,
            n: -7,
            f: 0.5,
            t: 'a/b é',
            nothing: null,
            list: [1, { deep: true }],
            nan: Number.NaN,
          };
          await node.publisher(topic('ts.sensors.front', anything)).publish(data);
          const line = await listener.next('message');
          expect(line.data).toMatchObject({ ...data, nan: expect.anything() });
        });

        row('we publish, their pattern subscriber matches', async () => {
          await using listener = await peer('psubscribe', 'ts.pattern.*', '--count', '1', '--timeout', '15');
          await node.publisher(topic('ts/pattern/deep/level', anything)).publish({ seq: 1 });
          expect(await listener.next('message')).toMatchObject({
            topic: 'ts/pattern/deep/level',
            data: { seq: 1 },
          });
        });

        row('their node: its heartbeat is read, its control service answers', async () => {
          const beats = await node.subscribe(
            topic('py_node.heartbeat', z.object({ ts: z.bigint().or(z.number()) })),
          );
          await using _ = await peer('node', 'py_node', '--interval', '0.2');
          for await (const { data } of beats) {
            expect(Number(data.ts)).toBeGreaterThan(1.7e15);
            break;
          }
          const start = node.client(
            rpc('py_node.start', { request: anything, response: z.looseObject({ status: z.number() }) }),
          );
          expect(await start.call({})).toMatchObject({ status: 1 });
        });

        row('their RPC client controls our simulated bot: the eight commands of the protocol', async () => {
          const bot = await SimulatedBot.start({ id: 'pybot', node });
          const asked: readonly (readonly [string, object, object])[] = [
            ['import', { strategy: 'conf_liquidity_mining_1' }, { status: 200, msg: '' }],
            [
              'config',
              { params: [['mqtt_bridge.mqtt_autostart', 1]] },
              { changes: [['mqtt_bridge.mqtt_autostart', 1]], status: 200, msg: '' },
            ],
            [
              'balance/limit',
              { exchange: 'kucoin', asset: 'USDT', amount: -1 },
              { status: 200, msg: '', data: null },
            ],
            ['balance/paper', { asset: 'USDT', amount: 100 }, { status: 200, msg: '', data: null }],
            ['history', {}, { status: 200, msg: '', trades: [] }],
            ['start', {}, { status: 200, msg: '' }],
            ['status', {}, { status: 200 }],
            ['stop', {}, { status: 200, msg: '' }],
          ];
          // History before there are trades; the rest in the order a user goes, each from a client of its own.
          const callers: PythonPeer[] = [];
          for (const [command, data, expected] of asked) {
            const options = ['--settle', '0', '--data', JSON.stringify(data)];
            const caller = await peer('rpc-client', `hbot/pybot/${command}`, ...options);
            callers.push(caller);
            expect((await caller.next('reply')).data, command).toMatchObject(expected);
          }
          await Promise.all(callers.map((caller) => caller.stop()));
          await bot.close();
        });

        test('nothing was dropped or failed on our side but what was asked to', () => {
          expect(problems.filter(({ endpoint }) => endpoint !== 'srv/bad')).toEqual([]);
        });
      },
      { own: true },
    );
  });
}
