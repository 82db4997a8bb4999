import { anything, rpc } from '@commlib/core';
import { ensure, equal, quiet, rejects } from '../check.js';
import { type Lab, numbers } from '../lab.js';
import * as needs from '../needs.js';
import type { Property } from '../property.js';

const procedure = (lab: Lab) => rpc(lab.name(), { request: anything, response: anything });

export const serving: readonly Property[] = [
  {
    id: 'serve.compete',
    promise: '`compete`: each request reaches one of the services of that name.',
    needs: [needs.serveMode('compete')],
    async test(lab) {
      const [one, two, caller] = [await lab.node(), await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const asked: unknown[] = [];
      for (const node of [one, two])
        await node.serve(
          contract,
          (data) => {
            asked.push(data);
            return data;
          },
          { mode: 'compete' },
        );
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const sent = numbers(40);
      equal(await Promise.all(sent.map((text) => client.call(text))), sent, 'the answers');
      equal([...asked].sort(), [...sent].sort(), 'the requests of both services');
    },
  },
  {
    id: 'serve.all',
    promise: '`all`: every service of that name gets each request; the caller takes the first answer.',
    needs: [needs.serveMode('all')],
    async test(lab) {
      const [one, two, caller] = [await lab.node(), await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const asked: string[][] = [[], []];
      for (const [i, node] of [one, two].entries())
        await node.serve(
          contract,
          (data) => {
            asked[i]?.push(String(data));
            return data;
          },
          { mode: 'all' },
        );
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      for (const text of numbers(5)) equal(await client.call(text), text, 'the answer');
      for (const requests of asked) {
        await lab.arrived('requests of one service', requests, 5);
        equal(requests, numbers(5), 'the requests of one service');
      }
    },
  },
  {
    id: 'serve.exclusive',
    promise:
      '`exclusive`: there can be only one service of a name; a second is refused, and takes over when the first is gone.',
    needs: [needs.serveMode('exclusive')],
    async test(lab) {
      const [one, two, caller] = [await lab.node(), await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const first = await one.serve(contract, () => 'first', { mode: 'exclusive' });
      const refused = await two
        .serve(contract, () => 'second', { mode: 'exclusive', timeoutMs: 3_000 })
        .then(
          () => undefined,
          (error: unknown) => error,
        );
      ensure(refused instanceof Error, 'a second exclusive service was accepted');
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      equal(await client.call('x'), 'first', 'the answer');
      await first.close();
      await two.serve(contract, () => 'second', { mode: 'exclusive', timeoutMs: lab.patienceMs });
      equal(await client.call('x'), 'second', 'the answer of the one that took over');
    },
  },
  {
    id: 'serve.close',
    promise: 'No request is delivered after `close` of a service was called; what it has is answered.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let answer = () => {};
      const asked: unknown[] = [];
      const service = await server.serve(contract, (data) => {
        asked.push(data);
        return new Promise((resolve) => {
          answer = () => resolve(data);
        });
      });
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const first = quiet(client.call('first'));
      await lab.until('the request', () => asked.length === 1);
      const closing = service.close();
      answer();
      equal(await first, 'first', 'the answer');
      await closing;
      const later = await client.call('later', { timeoutMs: 700 }).then(
        () => undefined,
        (error: unknown) => error,
      );
      ensure(later instanceof Error, 'a request to a closed service was answered');
      equal(asked, ['first'], 'the requests');
    },
  },
  {
    id: 'serve.again',
    promise: 'A service that was closed can be served anew, here and elsewhere.',
    async test(lab) {
      const [one, two, caller] = [await lab.node(), await lab.node(), await lab.node()];
      const contract = procedure(lab);
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      for (const [i, node] of [one, two, one].entries()) {
        const service = await node.serve(contract, () => i, { timeoutMs: lab.patienceMs });
        equal(await client.call('x'), i, 'the answer');
        await service.close();
      }
    },
  },
  {
    id: 'serve.max-in-flight',
    promise: 'More requests than run at once wait for their turn: each is answered.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contract = procedure(lab);
      let running = 0;
      let most = 0;
      await server.serve(
        contract,
        async (data) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 2));
          running--;
          return data;
        },
        { concurrency: 3 },
      );
      const client = caller.client(contract, { timeoutMs: lab.patienceMs });
      const sent = numbers(60);
      equal(await Promise.all(sent.map((text) => client.call(text))), sent, 'the answers');
      ensure(most <= 3, `${most} requests were handled at once`);
    },
  },
  {
    id: 'serve.several',
    promise: 'Services of several names on one connection are asked for what they are.',
    async test(lab) {
      const [server, caller] = [await lab.node(), await lab.node()];
      const contracts = numbers(5).map(() => procedure(lab));
      for (const [i, contract] of contracts.entries()) await server.serve(contract, () => i);
      const answers = contracts.map((contract) =>
        caller.client(contract, { timeoutMs: lab.patienceMs }).call(0),
      );
      equal(await Promise.all(answers), [0, 1, 2, 3, 4], 'the answers');
    },
  },
  {
    id: 'respond.offline',
    promise: 'An answer is never kept for later: offline, `respond` rejects.',
    controls: ['block'],
    async test(lab) {
      const link = await lab.connect();
      const name = lab.name();
      const inbox = await link.transport.openInbox({}, () => {});
      const target = inbox.claim();
      await lab.offline(link);
      const request = { address: link.address(name), payload: new Uint8Array(0), retained: false };
      await rejects(link.transport.respond(request, target, new Uint8Array(1)), 'NOT_CONNECTED', 'respond');
      await rejects(inbox.send(link.address(name), new Uint8Array(1), target), 'NOT_CONNECTED', 'Inbox.send');
    },
  },
];
