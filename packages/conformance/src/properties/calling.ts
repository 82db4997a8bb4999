import { anything, type Inbound, rpc, ServiceError, topic } from '@commlib/core';
import { ensure, equal, quiet, rejects } from '../check.js';
import { bytes, type Lab, lossy, numbers } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

const procedure = (lab: Lab) => rpc(lab.name(), { request: anything, response: anything });

export const calling: readonly Property[] = [
  {
    id: 'rpc.answer',
    promise: 'A request reaches the service, and its answer the caller.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => ({ echo: data }));
      equal(await caller.client(contract).call({ a: [1, 'ü'] }), { echo: { a: [1, 'ü'] } }, 'the answer');
    },
  },
  {
    id: 'rpc.first',
    promise: 'When `serve` resolves, no request sent afterwards is missed while connected.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      // Its inbox is open by now.
      const warm = procedure(lab);
      await server.serve(warm, (data) => data);
      await caller.client(warm).call(0);
      for (let round = 0; round < 3; round++) {
        const contract = procedure(lab);
        await server.serve(contract, (data) => data);
        equal(await caller.client(contract, { timeoutMs: lab.patienceMs }).call(round), round, 'the answer');
      }
    },
  },
  {
    id: 'rpc.concurrent',
    promise: 'One standing inbox, any number of calls in flight: 500 at once, each gets its own answer.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let running = 0;
      await server.serve(
        contract,
        async (data) => {
          running++;
          await new Promise((resolve) => setTimeout(resolve, Number(data) % 5));
          running--;
          return data;
        },
        { concurrency: 500 },
      );
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const asked = numbers(500).map(Number);
      equal(await Promise.all(asked.map((n) => client.call(n))), asked, 'the answers');
      equal(running, 0, 'handlers that still run');
    },
  },
  {
    id: 'rpc.out-of-order',
    promise: 'Answers are told apart, in whatever order they come.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const waiting: (() => void)[] = [];
      await server.serve(contract, (data) => new Promise((resolve) => waiting.push(() => resolve(data))));
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const order: unknown[] = [];
      const calls = numbers(10).map((text) =>
        quiet(
          client.call(text).then((answer) => {
            order.push(answer);
            return answer;
          }),
        ),
      );
      await lab.until('ten requests', () => waiting.length === 10);
      for (const answer of waiting.reverse()) answer();
      equal(await Promise.all(calls), numbers(10), 'the answers');
      ensure(order[0] !== '0', 'the first request was answered last');
    },
  },
  {
    id: 'rpc.two-callers',
    promise: 'Callers of one service do not get each other’s answers.',
    async test(lab) {
      const [server, one, two] = [await lab.node(), await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const calls = numbers(50).flatMap((text) =>
        [one, two].map((node, i) => node.client(contract).call(`${i} ${text}`)),
      );
      equal(
        await Promise.all(calls),
        numbers(50).flatMap((text) => [`0 ${text}`, `1 ${text}`]),
        'the answers',
      );
      equal([one.counters.lateReplies, two.counters.lateReplies], [0, 0], 'answers nobody waited for');
    },
  },
  {
    id: 'rpc.mebibyte',
    promise: 'Requests and answers of 1 MB arrive whole.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const large = 'ü'.repeat(500_000);
      equal(await caller.client(contract, { timeoutMs: lab.patienceMs }).call(large), large, 'the answer');
    },
  },
  {
    id: 'rpc.timeout',
    promise: 'A call whose answer does not come ends by its deadline.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => (data === 'warm' ? data : lab.never()));
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      await client.call('warm');
      const begun = performance.now();
      await rejects(client.call('x', { timeoutMs: 500 }), 'TIMEOUT', 'the call');
      ensure(performance.now() - begun > 450, 'it ended before its deadline');
    },
  },
  {
    id: 'rpc.late',
    promise: 'A late answer is dropped: the next call gets its own.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let answerFirst = () => {};
      await server.serve(contract, (data) =>
        data === 'first' ? new Promise((resolve) => (answerFirst = () => resolve(data))) : data,
      );
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      await client.call('warm');
      const given = new AbortController();
      const first = rejects(client.call('first', { signal: given.signal }), 'ABORTED', 'the call');
      await lab.until('the request', () => server.counters.served === 2);
      given.abort();
      await first;
      answerFirst();
      equal(await client.call('second'), 'second', 'the answer of the second call');
      await lab.until('the late answer', () => caller.counters.lateReplies === 1);
    },
  },
  {
    id: 'rpc.abort',
    promise: 'The caller’s signal ends a call at once.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let asked = 0;
      await server.serve(contract, () => {
        asked++;
        return lab.never();
      });
      const abort = new AbortController();
      const call = rejects(
        caller.client(contract).call('x', { signal: abort.signal }),
        'ABORTED',
        'the call',
      );
      await lab.until('the request', () => asked === 1);
      abort.abort();
      await call;
    },
  },
  {
    id: 'rpc.error',
    promise: 'A failing handler answers: the service’s own code and details reach the caller.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => {
        if (data === 'own') throw new ServiceError('OUT_OF_STOCK', 'no apples left', { wanted: 3 });
        throw new Error('oh');
      });
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const own = await rejects(client.call('own'), 'OUT_OF_STOCK', 'the call');
      equal('details' in own && own.details, { wanted: 3 }, 'the details');
      await rejects(client.call('other'), 'HANDLER_FAILED', 'the other call');
    },
  },
  {
    id: 'rpc.no-receiver',
    promise: 'Where the broker tells that nobody serves, a call ends at once with `NO_RECEIVER`.',
    needs: [needs.mandatory],
    async test(lab) {
      const caller = await lab.node();
      const client = caller.client(procedure(lab), { timeoutMs: 300_000 });
      await rejects(client.call('x'), 'NO_RECEIVER', 'the call');
    },
  },
  {
    id: 'rpc.no-answer',
    promise: 'Where it does not, a call that nobody serves ends by its deadline, and others go on.',
    needs: [needs.noMandatory],
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const lonely = caller.client(procedure(lab), { timeoutMs: 1_000 });
      const call = rejects(lonely.call('x'), 'TIMEOUT', 'the call');
      equal(await caller.client(contract, { timeoutMs: lab.patienceMs }).call('y'), 'y', 'the other answer');
      await call;
    },
  },
  {
    id: 'rpc.malformed',
    promise: 'A service survives requests that are none: bytes, JSON without an envelope, no reply address.',
    async test(lab) {
      const [server, caller, link] = [await lab.node(), await lab.node(), await lab.connect()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const inbox = await link.transport.openInbox({}, () => {});
      const address = server.transport.names.address(contract.name);
      const hostile = ['', 'nonsense', '[]', '{}', '{"header":{}}', '{"header":{"reply_to":"+/#"},"data":1}'];
      for (const text of hostile) await inbox.send(address, bytes(text), inbox.claim());
      await inbox.send(address, new Uint8Array([0xff, 0xfe, 0, 1]), inbox.claim());
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      equal(await client.call('x'), 'x', 'the answer of a good request');
      await lab.until('the others reported', () => server.counters.received === hostile.length + 2);
    },
  },
  {
    id: 'rpc.beside',
    promise: 'Topics and procedures share a connection, and do not meet.',
    async test(lab) {
      const node = await lab.node();
      const contract = procedure(lab);
      const events = topic(lab.name(), anything);
      const seen: unknown[] = [];
      await node.subscribe(events, (data) => seen.push(data));
      await node.serve(contract, async (data) => {
        await node.publisher(events).publish({ asked: data });
        return data;
      });
      equal(await node.client(contract, { timeoutMs: lab.patienceMs }).call(1), 1, 'the answer');
      await lab.arrived('event', seen, 1);
      equal(seen, [{ asked: 1 }], 'the events');
    },
  },
  {
    id: 'inbox.targets',
    promise: '`claim` gives a reply target never used before.',
    async test(lab) {
      const { transport } = await lab.connect();
      const inbox = await transport.openInbox({}, () => {});
      const targets = numbers(100).map(() => inbox.claim());
      equal(
        new Set(targets.map(({ correlationId }) => correlationId)).size,
        100,
        'different correlation ids',
      );
      if (transport.capabilities.correlation === 'address')
        equal(new Set(targets.map(({ replyTo }) => replyTo)).size, 100, 'different reply addresses');
      for (const target of targets) inbox.release(target);
    },
  },
  {
    id: 'inbox.prefix',
    promise: 'Reply addresses begin with the prefix that was asked for, and answers come there.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node({ inboxPrefix: lab.word() })];
      const contract = procedure(lab);
      const asked: unknown[] = [];
      await server.serve(contract, (data, { header }) => {
        asked.push(header.reply_to);
        return data;
      });
      equal(await caller.client(contract, { timeoutMs: lab.patienceMs }).call('x'), 'x', 'the answer');
      const prefix = lab.word();
      const inbox = await (await lab.connect()).transport.openInbox({ prefix }, () => {});
      ensure(inbox.claim().replyTo.startsWith(prefix), 'the reply address begins with the prefix');
    },
  },
  {
    id: 'inbox.first',
    promise:
      'When `openInbox` resolves, no answer to a request sent through it is missed; it tells which target it is for.',
    async test(lab) {
      const [asking, serving] = [await lab.connect(), await lab.connect()];
      const address = asking.address(lab.name());
      const service = await serving.transport.serve(address, { maxInFlight: 10 }, (request) => {
        const replyTo = request.replyTo ?? new TextDecoder().decode(request.payload).split(' ')[0] ?? '';
        const correlationId = request.correlationId;
        void serving.transport
          .respond(request, { replyTo, correlationId }, request.payload)
          .then(() => request.settle?.('ack'));
      });
      const replies: Inbound[] = [];
      const inbox = await asking.transport.openInbox({}, (reply) => replies.push(reply));
      const targets = numbers(3).map(() => inbox.claim());
      for (const target of targets)
        await inbox.send(address, bytes(`${target.replyTo} ${target.correlationId}`), target);
      await lab.arrived('answers', replies, 3);
      if (asking.transport.capabilities.correlation !== 'envelope')
        equal(
          replies.map(({ correlationId }) => correlationId).sort(),
          targets.map(({ correlationId }) => correlationId).sort(),
          'the correlation ids of the answers',
        );
      await service.close();
      await inbox.close();
    },
  },
  {
    id: 'inbox.close',
    promise: 'A closed inbox delivers nothing any more; others go on.',
    async test(lab) {
      const [asking, answering] = [await lab.connect(), await lab.connect()];
      const address = asking.address(lab.name());
      const requests: Inbound[] = [];
      await answering.transport.serve(address, { maxInFlight: 10 }, (request) => {
        requests.push(request);
        request.settle?.('ack');
      });
      const [late, heard]: [Inbound[], Inbound[]] = [[], []];
      const closed = await asking.transport.openInbox({}, (reply) => late.push(reply));
      const open = await asking.transport.openInbox({}, (reply) => heard.push(reply));
      const targets = [closed.claim(), open.claim()];
      for (const [i, inbox] of [closed, open].entries()) {
        const target = targets[i];
        if (target) await inbox.send(address, bytes('{}'), target);
        await lab.arrived('requests', requests, i + 1);
      }
      await closed.close();
      for (const [i, request] of requests.entries()) {
        const target = { ...targets[i], replyTo: request.replyTo ?? targets[i]?.replyTo ?? '' };
        const answer = { ...target, correlationId: request.correlationId ?? targets[i]?.correlationId };
        // To an inbox that is gone: refused, or lost; either will do.
        await answering.transport.respond(request, answer, bytes('{}')).catch(() => {});
      }
      await lab.arrived('answer to the open inbox', heard, 1);
      equal(late.length, 0, 'answers to the closed inbox');
    },
  },
  {
    id: 'inbox.two',
    promise: 'Two inboxes of one connection stand beside each other.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const timeoutMs = lab.patienceMs;
      const [one, two] = [
        caller.client(contract, { timeoutMs }),
        caller.client(contract, { timeoutMs, inboxPrefix: lab.word() }),
      ];
      equal(await Promise.all([one.call(1), two.call(2), one.call(3)]), [1, 2, 3], 'the answers');
    },
  },
  {
    id: 'inbox.not-subscribed',
    promise: 'Requests are point to point: a subscription beside the service does not disturb it.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      await server.serve(contract, (data) => data);
      const link = await lab.connect();
      const other = await link.transport.subscribe(
        link.transport.names.filter(contract.name),
        lossy,
        () => {},
      );
      equal(await caller.client(contract, { timeoutMs: lab.patienceMs }).call('x'), 'x', 'the answer');
      await other.close();
    },
  },
];
