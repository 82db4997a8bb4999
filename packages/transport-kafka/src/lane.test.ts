import { CommlibError } from '@commlib/core';
import { describe, expect, test, vi } from 'vitest';
import { Lane } from './lane.js';
import { Link } from './link.js';
import { type KafkaOptions, resolveOptions } from './options.js';
import type { Outgoing } from './partition-queue.js';
import type { ProduceOptions } from './produce.js';
import type { BrokerApi } from './protocol.js';
import { toRecord } from './record.js';
import { Sequences } from './sequences.js';
import { Topics } from './topics.js';

type Produce = Parameters<BrokerApi['produce']>[0];

/** A lane whose broker answers when the test says so. */
function lane(options: Omit<KafkaOptions, 'acks'> & { acks?: -1 | 1; leaders?: number[] } = {}) {
  const { acks = 1, leaders = [0], ...given } = options;
  const config = resolveOptions('kafka://host', given);
  const link: Link = Reflect.construct(Link, [config, () => {}]);
  const topics = new Topics(link, config);
  vi.spyOn(topics, 'known').mockImplementation(() => leaders);
  const requests: { request: Produce; answer: (error?: Error) => void }[] = [];
  const broker = {
    produce: (request: Produce) =>
      new Promise<void>((resolve, reject) => {
        requests.push({ request, answer: (error) => (error ? reject(error) : resolve()) });
      }),
    initProducerId: async () => ({ producerId: '7', producerEpoch: 0 }),
  };
  // Only these two requests are asked of it.
  vi.spyOn(link, 'broker').mockImplementation(async () => broker as unknown as BrokerApi);
  vi.spyOn(link, 'anyBroker').mockImplementation(async () => broker as unknown as BrokerApi);
  const sequences = acks === -1 ? new Sequences() : undefined;
  const laneOptions: ProduceOptions = { link, topics, config, acks, sequences };
  const made = new Lane(laneOptions);
  const send = (text: string, fields: Partial<Outgoing> = {}) => {
    const out: Outgoing = { topic: 't', record: toRecord(Buffer.from(text)), ...fields };
    return new Promise<CommlibError | undefined>((resolve) => made.push(out, resolve));
  };
  const sent = (i: number) =>
    requests[i]?.request.topicData.flatMap(({ partitions }) =>
      partitions.flatMap(({ messages }) => messages.map(({ value }) => value.toString())),
    );
  const first = (i: number) => requests[i]?.request.topicData[0]?.partitions[0]?.firstSequence;
  const at = (count: number) => vi.waitFor(() => expect(requests.length).toBe(count));
  return { send, sent, first, at, requests, sequences, lane: made };
}

const failure = (type: string) => Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });

describe('what goes together', () => {
  test('a lone record at once; what comes meanwhile together after it', async () => {
    const { send, sent, at, requests } = lane();
    void send('a');
    await at(1);
    for (const text of ['b', 'c', 'd']) void send(text);
    requests[0]?.answer();
    await at(2);
    expect([sent(0), sent(1)]).toEqual([['a'], ['b', 'c', 'd']]);
  });

  test('what is sent in one turn', async () => {
    const { send, sent, at } = lane();
    for (const text of ['a', 'b', 'c']) void send(text);
    await at(1);
    expect(sent(0)).toEqual(['a', 'b', 'c']);
  });

  test('no more than maxBatchBytes of a partition', async () => {
    const { send, sent, at, requests } = lane({ maxBatchBytes: 100 });
    for (const text of ['a', 'b', 'c', 'd']) void send(text.repeat(10));
    await at(1);
    expect(sent(0)?.length).toBe(2);
    requests[0]?.answer();
    await at(2);
    expect(sent(1)?.length).toBe(2);
  });

  test('lingerMs holds back what comes soon after, not what comes on a quiet connection', async () => {
    const { send, sent, at, requests } = lane({ lingerMs: 30 });
    void send('first');
    await at(1);
    requests[0]?.answer();
    const begun = performance.now();
    void send('a');
    await Promise.resolve();
    void send('b');
    await at(2);
    expect(performance.now() - begun).toBeGreaterThan(20);
    expect(sent(1)).toEqual(['a', 'b']);
  });
});

test('after the loss nothing waits for ever', async () => {
  const { send, at, lane: made } = lane();
  void send('under way');
  await at(1);
  const waiting = send('waiting');
  made.fail(new CommlibError('GONE', 'the connection is gone'));
  expect((await waiting)?.code).toBe('GONE');
});

describe('at least once', () => {
  test('numbers go on from batch to batch; a refused batch gives its numbers back', async () => {
    const { send, first, at, requests } = lane({ acks: -1 });
    const a = send('a');
    await at(1);
    requests[0]?.answer();
    expect(await a).toBeUndefined();
    const b = [send('b'), send('c')];
    await at(2);
    requests[1]?.answer(failure('INVALID_RECORD'));
    expect((await b[0])?.code).toBe('REFUSED');
    void send('d');
    await at(3);
    expect([first(0), first(1), first(2)]).toEqual([0, 1, 1]);
  });

  test('a passing error is tried again as it was, before what came later', async () => {
    const { send, sent, first, at, requests } = lane({ acks: -1 });
    const done = send('a');
    await at(1);
    void send('later');
    requests[0]?.answer(failure('NOT_LEADER_FOR_PARTITION'));
    await at(2);
    expect([sent(1), first(1)]).toEqual([['a'], 0]);
    requests[1]?.answer();
    expect(await done).toBeUndefined();
    await at(3);
    expect([sent(2), first(2)]).toEqual([['later'], 1]);
  });

  test('the broker has it already: done', async () => {
    const { send, at, requests } = lane({ acks: -1 });
    const done = send('a');
    await at(1);
    requests[0]?.answer(failure('DUPLICATE_SEQUENCE_NUMBER'));
    expect(await done).toBeUndefined();
  });

  test('numbers the broker does not expect: a new beginning, nothing is lost', async () => {
    const { send, sent, first, at, requests, sequences } = lane({ acks: -1 });
    const a = send('a');
    await at(1);
    requests[0]?.answer();
    await a;
    const done = send('b');
    await at(2);
    requests[1]?.answer(failure('OUT_OF_ORDER_SEQUENCE_NUMBER'));
    await at(3);
    expect([sent(2), first(2), sequences?.generation]).toEqual([['b'], 0, 1]);
    requests[2]?.answer();
    expect(await done).toBeUndefined();
  });

  test('an error with several partitions does not say which: each is tried alone', async () => {
    const { send, sent, at, requests } = lane({ acks: -1, leaders: [0, 0] });
    const good = send('good', { partition: 0 });
    const bad = send('bad', { partition: 1 });
    await at(1);
    requests[0]?.answer(failure('INVALID_RECORD'));
    await at(2);
    requests[1]?.answer(sent(1)?.[0] === 'bad' ? failure('INVALID_RECORD') : undefined);
    await at(3);
    requests[2]?.answer(sent(2)?.[0] === 'bad' ? failure('INVALID_RECORD') : undefined);
    expect([(await good)?.code, (await bad)?.code]).toEqual([undefined, 'REFUSED']);
  });
});

describe('at most once', () => {
  test('what the broker says it has not taken is sent again, before what came later', async () => {
    const { send, sent, at, requests } = lane();
    const done = send('a');
    await at(1);
    void send('later');
    requests[0]?.answer(failure('NOT_LEADER_FOR_PARTITION'));
    await at(2);
    expect(sent(1)).toEqual(['a', 'later']);
    requests[1]?.answer();
    expect(await done).toBeUndefined();
  });

  test('with several partitions some may have been stored: nothing is sent twice', async () => {
    const { send, at, requests } = lane({ leaders: [0, 0] });
    const both = [send('a', { partition: 0 }), send('b', { partition: 1 })];
    await at(1);
    requests[0]?.answer(failure('NOT_LEADER_FOR_PARTITION'));
    expect((await Promise.all(both)).map((error) => error?.code)).toEqual(['REFUSED', 'REFUSED']);
    expect(requests.length).toBe(1);
  });

  test('an answer to a reply topic that is gone is given up', async () => {
    const { send, at, requests } = lane();
    const done = send('a', { existing: true });
    await at(1);
    requests[0]?.answer(failure('UNKNOWN_TOPIC_OR_PARTITION'));
    expect(await done).toBeDefined();
    expect(requests.length).toBe(1);
  });
});
