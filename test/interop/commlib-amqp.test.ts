import { anything, rpc } from '@commlib/core';
import { amqp } from '@commlib/transport-amqp';
import { connect } from 'amqplib';
import { expect } from 'vitest';
import { until } from '../brokers/index.js';
import { sharedRabbitmq } from '../brokers/shared.js';
import {
  callEcho,
  commonRows,
  echoed,
  fortyOfOneClient,
  itFails,
  itServes,
  itServesMany,
  itServesTyped,
  itsControl,
  itsPatterns,
  malformedRow,
  oneClientAtOnce,
  serveEcho,
  theirCalls,
  zippedCalls,
} from './rows.js';
import { type Cannot, interop, type Row, type Setting } from './suite.js';

async function sendRaw({ url }: Setting, at: string, payloads: readonly Uint8Array[]): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  for (const payload of payloads) channel.sendToQueue(at, Buffer.from(payload));
  // The same with a reply address that the broker makes and nobody reads.
  await channel.consume('amq.rabbitmq.reply-to', () => {}, { noAck: true });
  for (const payload of payloads)
    channel.sendToQueue(at, Buffer.from(payload), { replyTo: 'amq.rabbitmq.reply-to' });
  await channel.waitForConfirms();
  await connection.close();
}

const secondService: Row = {
  text: 'one service per name: a second one, ours or its own, is refused',
  async body(setting) {
    const { node, name, peer } = setting;
    const [theirs, ours] = [name('py.only'), name('ts.only')];
    await using _ = await peer('rpc-service', theirs);
    const contract = rpc(theirs, { request: anything, response: anything });
    await expect(node.serve(contract, () => ({}))).rejects.toThrow(/RESOURCE_LOCKED|exclusive|locked/i);
    await callEcho(setting, theirs, 1, 1);

    const service = await serveEcho(node, ours);
    await using second = await setting.begin('rpc-service', ours);
    await until(() => second.log.includes('RESOURCE_LOCKED') || second.all('error').length > 0, {
      what: 'its refusal',
      timeoutMs: 20_000,
    });
    expect(await theirCalls(setting, ours, '--typed', '--count', '3')).toMatchObject({ ok: 3 });
    await service.close();
  },
};

const deadService: Cannot['show'] = async ({ version, url, name, peer, begin }) => {
  const at = name('py.dead');
  await using _ = await peer('rpc-service', at);
  await using own = await begin('rpc-client', at, '--timeout', '1');
  expect(await own.next('reply', undefined, 20_000), `${version} on ${url}`).toMatchObject({
    outcome: 'timeout',
  });
};
const dead =
  'the thread of its AMQP RPC service ends at once, although it says that it is connected: its own clients get no answer either';

await interop({
  transport: 'amqp',
  title: 'AMQP',
  broker: 'rabbitmq',
  start: sharedRabbitmq,
  // With the queues of its own once, and with ours, which have no limits.
  connect: (url, version) => amqp(url, version === '0.13.2' ? {} : { queueArguments: 'commlib' }),
  client: (version) => (version === '0.13.2' ? {} : { body: 'raw' }),
  rows: [...commonRows, secondService, malformedRow(sendRaw)],
  cannot: [
    ...[itServes, itServesMany, itServesTyped, itFails, itsControl, zippedCalls, secondService].map(
      (row) => ({
        row,
        versions: ['0.13.1'] as const,
        why: dead,
        show: deadService,
      }),
    ),
    {
      row: itServesMany,
      versions: ['0.11.5', '0.13.2'],
      why: 'the queue of its service keeps ten requests and drops the oldest beyond: with more at once some calls time out; no answer is ever another’s',
      async show({ node, client, name, peer }) {
        const at = name('py.echo50');
        await using _ = await peer('rpc-service', at, '--workers', '1');
        const caller = node.client(rpc(at, { request: anything, response: echoed }), client);
        const seqs = Array.from({ length: 50 }, (_item, seq) => seq);
        const answers = await Promise.all(
          seqs.map((seq) =>
            caller.call({ seq, sleep: 0.1 }, { timeoutMs: 5_000 }).then(
              (answer) => answer.seq === seq && answer.echo.seq === seq,
              (error: { code?: string }) => error.code,
            ),
          ),
        );
        const answered = answers.filter((answer) => answer === true).length;
        expect(answers.filter((answer) => answer === 'TIMEOUT').length + answered).toBe(50);
        expect(answered).toBeGreaterThan(0);
        expect(answered).toBeLessThan(50);
      },
    },
    {
      row: itsPatterns,
      versions: ['0.13.1', '0.13.2'],
      why: 'its pattern subscriber turns `*` into `#` and then refuses that as a topic (`ValueError`)',
      async show({ name, begin }) {
        await using listener = await begin('psubscribe', name('ts.pattern.*'));
        expect((await listener.next('error', undefined, 20_000)).error).toMatch(
          /^ValueError: Invalid topic: .*#$/,
        );
      },
    },
    {
      row: oneClientAtOnce,
      versions: ['0.11.5', '0.13.1', '0.13.2'],
      why: 'a client object keeps one answer for all its calls and mixes them up; it takes a client object per call in flight',
      async show(setting) {
        expect(await fortyOfOneClient(setting)).toBeLessThan(40);
      },
    },
    {
      row: zippedCalls,
      versions: ['0.13.2'],
      why: 'its service does not decompress requests, its own either; our service does (compressed messages work)',
      async show({ zipped, name, peer }) {
        const at = name('py.zipped');
        await using _ = await peer('rpc-service', at, '--compress');
        await using own = await peer('rpc-client', at, '--compress', '--timeout', '1');
        expect(await own.next('reply', undefined, 20_000)).toMatchObject({ outcome: 'timeout' });
        const ours = zipped.client(rpc(at, { request: anything, response: anything }));
        await expect(ours.call({ seq: 1 }, { timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'TIMEOUT' });
      },
    },
  ],
});
