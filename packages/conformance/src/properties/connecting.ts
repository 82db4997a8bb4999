import { ensure, equal, rejects } from '../check.js';
import { lossy } from '../lab.js';
import type { Property } from '../property.js';

export const connecting: readonly Property[] = [
  {
    id: 'connect.ready',
    promise: 'A transport is made idle; `connect` resolves when the connection is ready.',
    async test(lab) {
      const link = lab.link();
      equal(link.transport.status.state, 'idle', 'the state before connect');
      await link.connect();
      equal(link.transport.status.state, 'ready', 'the state when connect has resolved');
      ensure(link.transport.protocol !== '', 'the transport names its protocol');
    },
  },
  {
    id: 'connect.capabilities',
    promise: 'What the connection can do is told as data, with a reason where something is missing.',
    async test(lab) {
      const { transport } = await lab.connect();
      equal(transport.capabilities, lab.capabilities, 'the capabilities once connected');
      for (const [key, value] of Object.entries(transport.capabilities)) {
        const why: unknown =
          typeof value === 'object' && value && 'missing' in value ? value.missing : 'there';
        ensure(typeof why === 'string' && why.trim() !== '', `${key} is missing without a reason`);
      }
    },
  },
  {
    id: 'connect.status',
    promise: 'Every change of state is told: idle, connecting, ready, closed, in this order.',
    async test(lab) {
      const link = await lab.connect();
      await link.close();
      equal(link.states, ['connecting', 'ready', 'closed'], 'the states of an undisturbed life');
      equal(link.transport.status.state, 'closed', 'the state after close');
    },
  },
  {
    id: 'connect.once',
    promise: 'A transport is connected once.',
    async test(lab) {
      const link = await lab.connect();
      await rejects(link.connect(), 'WRONG_STATE', 'a second connect');
      equal(link.transport.status.state, 'ready', 'the state after it');
    },
  },
  {
    id: 'connect.fail-fast',
    promise: '`failFast` rejects at the first failed attempt instead of trying on until the timeout.',
    controls: ['block'],
    async test(lab) {
      await lab.block();
      const link = lab.link();
      const begun = performance.now();
      const refused = await link.connect({ failFast: true, timeoutMs: 60_000 }).then(
        () => undefined,
        (error: unknown) => error,
      );
      ensure(
        refused instanceof Error && 'permanent' in refused,
        `rejects with a ConnectionError, not ${refused}`,
      );
      ensure(performance.now() - begun < 20_000, 'it took 20 s to fail fast');
      equal(link.states.filter((state) => state === 'connecting').length, 1, 'attempts');
      equal(link.transport.status.state, 'closed', 'the state after it');
    },
  },
  {
    id: 'connect.timeout',
    promise: '`timeoutMs` gives up the first connection after this long.',
    controls: ['block'],
    async test(lab) {
      await lab.block();
      const link = lab.link();
      const begun = performance.now();
      await rejects(link.connect({ timeoutMs: 500 }), 'TIMEOUT', 'connecting to a broker that is down');
      const took = performance.now() - begun;
      ensure(took > 400 && took < 10_000, `gave up after ${Math.round(took)} ms, not after 500`);
    },
  },
  {
    id: 'connect.tries-on',
    promise: 'Without `failFast` it tries on until the timeout: a broker that comes later will do.',
    controls: ['block'],
    async test(lab) {
      await lab.block();
      const link = lab.link();
      const connecting = link.connect({ timeoutMs: lab.patienceMs });
      await lab.until(
        'a second attempt',
        () => link.states.length > 1,
        () => link.states,
      );
      await lab.unblock();
      await connecting;
      equal(link.transport.status.state, 'ready', 'the state');
    },
  },
  {
    id: 'connect.abort',
    promise: 'The signal given to `connect` ends it.',
    controls: ['block'],
    async test(lab) {
      await lab.block();
      const link = lab.link();
      const abort = new AbortController();
      const connecting = link.connect({ signal: abort.signal, timeoutMs: 60_000 });
      abort.abort(new Error('enough'));
      await rejects(connecting, 'ABORTED', 'connecting');
      equal(link.transport.status.state, 'closed', 'the state after it');
    },
  },
  {
    id: 'connect.permanent',
    promise: 'Permanent errors (bad credentials) end the attempts, now and later.',
    controls: ['stranger'],
    async test(lab) {
      const link = lab.stranger();
      ensure(link !== undefined, 'the bench has credentials that are refused');
      const begun = performance.now();
      const error = await rejects(link.connect({ timeoutMs: 60_000 }), 'AUTHENTICATION_FAILED', 'connecting');
      ensure(performance.now() - begun < 15_000, 'it took 15 s to give up');
      ensure('permanent' in error && error.permanent === true, 'the error says that it is permanent');
      equal(link.states.at(-1), 'closed', 'the last state');
      equal(link.states.filter((state) => state === 'connecting').length, 1, 'attempts');
    },
  },
  {
    id: 'connect.before',
    promise: 'A transport that is not connected sends nothing: publishing says so at once.',
    async test(lab) {
      const link = lab.link();
      const error = await link.publish(lab.name(), 'x').then(
        () => undefined,
        (refused: unknown) => refused,
      );
      ensure(error instanceof Error, 'publishing before connect was accepted');
    },
  },
  {
    id: 'connect.closed',
    promise: 'A transport is closed once, and then refuses everything.',
    async test(lab) {
      const link = await lab.connect();
      await link.close();
      await rejects(link.publish(lab.name(), 'x'), 'CLOSED', 'publishing after close');
      await rejects(
        link.subscribe(lab.name(), lossy, () => {}),
        'CLOSED',
        'subscribing after close',
      );
      await rejects(link.connect(), 'CLOSED', 'connecting after close');
    },
  },
];
