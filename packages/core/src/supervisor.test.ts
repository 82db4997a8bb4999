import { describe, expect, test, vi } from 'vitest';
import { type CommlibError, ConnectionError } from './errors.js';
import type { TransportStatus } from './status.js';
import { Supervisor } from './supervisor.js';

const refused = () => new ConnectionError('CONNECTION_REFUSED', 'refused');
const banned = () => new ConnectionError('AUTHENTICATION_FAILED', 'bad password', { permanent: true });

function supervise(open: (attempt: number, signal: AbortSignal) => Promise<void>) {
  const states: TransportStatus[] = [];
  let attempts = 0;
  const supervisor = new Supervisor({
    target: 'test://broker',
    open: (signal) => open(++attempts, signal),
    backoff: { minMs: 1, maxMs: 4 },
  });
  const start = (o: { timeoutMs?: number; failFast?: boolean; signal?: AbortSignal } = {}) =>
    supervisor.start({
      timeoutMs: 5_000,
      failFast: false,
      ...o,
      onEvent: (event) => event.type === 'status' && states.push(event.status),
    });
  return { supervisor, start, states, names: () => states.map((s) => s.state), attempts: () => attempts };
}

describe('the first connection', () => {
  test('is tried until it works', async () => {
    const { start, names } = supervise(async (n) => {
      if (n < 3) throw refused();
    });
    await start();
    expect(names()).toEqual(['connecting', 'connecting', 'connecting', 'ready']);
  });

  test('failFast rejects with the first failure, and closes', async () => {
    const { start, supervisor } = supervise(async () => {
      throw refused();
    });
    await expect(start({ failFast: true })).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(supervisor.status.state).toBe('closed');
  });

  test('a permanent error ends it at once', async () => {
    const { start, attempts } = supervise(async () => {
      throw banned();
    });
    await expect(start()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(attempts()).toBe(1);
  });

  test('the timeout says why, also when an attempt hangs', async () => {
    const { start } = supervise(async (n, signal) => {
      if (n === 1) throw refused();
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    await expect(start({ timeoutMs: 40 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('test://broker (refused)'),
      cause: { code: 'CONNECTION_REFUSED' },
    });
  });

  test('an abort signal ends it', async () => {
    const abort = new AbortController();
    const { start } = supervise(async () => {
      abort.abort(new Error('enough'));
      throw refused();
    });
    await expect(start({ signal: abort.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('closing it in the pause between two attempts ends it, and it stays closed', async () => {
    const { start, supervisor, names, attempts } = supervise(async () => {
      throw refused();
    });
    const started = start();
    const ended = expect(started).rejects.toMatchObject({ code: 'CLOSED' });
    await expect.poll(() => attempts()).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve)); // in the pause now
    supervisor.close({ deadlineMs: 1000 });
    const before = attempts();
    await ended;
    expect(attempts()).toBe(before);
    expect(names().at(-1)).toBe('closed');
  });

  test('a signal that fired before is an abort like any other, and nothing is opened', async () => {
    const { start, supervisor, attempts } = supervise(async () => {});
    const signal = AbortSignal.abort(new Error('not at all'));
    await expect(start({ signal })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: { message: 'not at all' },
    });
    expect(attempts()).toBe(0);
    expect(supervisor.status.state).toBe('closed');
  });

  test('a time without end is one, not none', async () => {
    const { start } = supervise(async (n) => {
      if (n < 3) throw refused();
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await start({ timeoutMs: Number.POSITIVE_INFINITY });
  });

  test('is not waited for longer than was said by an attempt that ignores its signal', async () => {
    const hanging = () => new Promise<never>(() => {});
    await expect(supervise(hanging).start({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    const { start, supervisor } = supervise(hanging);
    const ended = expect(start()).rejects.toMatchObject({ code: 'CLOSED' });
    supervisor.close({ deadlineMs: 1000 });
    await ended;
  });

  test('leaves no timer and no listener behind', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const abort = new AbortController();
      const removed = vi.spyOn(abort.signal, 'removeEventListener');
      await supervise(async () => {}).start({ signal: abort.signal });
      expect(vi.getTimerCount()).toBe(0);
      expect(removed).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });

  test('a thrown value that is no error of ours becomes one', async () => {
    const { start } = supervise(async () => {
      throw new Error('odd');
    });
    await expect(start({ failFast: true })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('odd'),
    });
  });
});

describe('a lost connection', () => {
  test('comes back by itself', async () => {
    let up = true;
    const { start, supervisor, names, states } = supervise(async () => {
      if (!up) throw refused();
    });
    await start();
    up = false;
    supervisor.lost(refused());
    supervisor.lost(refused());
    await expect.poll(() => names().filter((n) => n === 'reconnecting').length).toBeGreaterThan(2);
    up = true;
    await expect.poll(() => supervisor.ready).toBe(true);
    expect(states.at(-1)).toMatchObject({ state: 'ready', reconnects: 1 });
    expect(states.find((s) => s.state === 'reconnecting')).toMatchObject({
      attempt: 1,
      error: { code: 'CONNECTION_REFUSED' },
    });
  });

  test('that is lost while it is being restored is tried again', async () => {
    const { start, supervisor, names } = supervise(async (n, signal) => {
      if (n !== 2) return;
      queueMicrotask(() => supervisor.lost(refused()));
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    await start();
    supervisor.lost(refused());
    await expect.poll(() => names().at(-1)).toBe('ready');
    expect(names()).toEqual(['connecting', 'ready', 'reconnecting', 'reconnecting', 'ready']);
  });

  test('ends for good with a permanent error', async () => {
    const { start, supervisor, states } = supervise(async (n) => {
      if (n > 1) throw banned();
    });
    await start();
    supervisor.lost(refused());
    await expect.poll(() => supervisor.status.state).toBe('closed');
    expect(states.at(-1)).toMatchObject({ state: 'closed', error: { code: 'AUTHENTICATION_FAILED' } });
  });

  test('a pause longer than a timer holds is not over at once', async () => {
    let attempts = 0;
    const endless = { minMs: Number.POSITIVE_INFINITY, maxMs: Number.POSITIVE_INFINITY };
    const supervisor = new Supervisor({ target: 't', backoff: endless, open: async () => void attempts++ });
    await supervisor.start({ timeoutMs: 1_000, failFast: true, onEvent: () => {} });
    supervisor.lost(refused());
    const later = new Promise((resolve) => setTimeout(resolve, 20));
    await later;
    expect(attempts).toBe(1);
    supervisor.close({ deadlineMs: 1000 });
  });

  test('closing ends the pause and the attempts', async () => {
    const { start, supervisor, attempts } = supervise(async (n) => {
      if (n > 1) throw refused();
    });
    await start();
    supervisor.lost(refused());
    supervisor.close({ deadlineMs: 1000 });
    const before = attempts();
    await new Promise((resolve) => setImmediate(resolve));
    expect(attempts()).toBe(before);
    expect(supervisor.status).toEqual({ state: 'closed', error: undefined });
  });
});

describe('the end', () => {
  function closable(shutDown?: (left: () => number) => Promise<void>) {
    const said: string[] = [];
    const supervisor = new Supervisor({
      target: 'test://broker',
      open: async () => {},
      shutDown,
      onClosed: (error) => said.push(`closed: ${error.code}`),
    });
    const start = () =>
      supervisor.start({
        timeoutMs: 1000,
        failFast: false,
        onEvent: (event) => said.push(event.type === 'status' ? event.status.state : event.type),
      });
    return { supervisor, start, said };
  }

  test('without anything to shut down it comes at once; what is pending fails before anybody is told', async () => {
    const { supervisor, start, said } = closable();
    await start();
    void supervisor.close({ deadlineMs: 1000 });
    expect(supervisor.status.state).toBe('closed');
    expect(said).toEqual(['connecting', 'ready', 'closed: CLOSED', 'closed']);
    supervisor.dropped('orders', banned());
    expect(said.at(-1)).toBe('dropped');
  });

  test('shuts down once, with the time that is left, and ends although that fails', async () => {
    const left: number[] = [];
    const { supervisor, start, said } = closable(async (ms) => {
      left.push(ms());
      await Promise.resolve();
      expect(supervisor.status.state).toBe('ready');
      throw refused();
    });
    await start();
    const closing = supervisor.close({ deadlineMs: 1000 });
    expect(supervisor.close({ deadlineMs: 1 })).toBe(closing);
    await expect(closing).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' });
    expect(left).toEqual([expect.closeTo(1000, -2)]);
    expect(said).toEqual(['connecting', 'ready', 'closed: CLOSED', 'closed']);
  });

  test('tells those who send whether it may still become better', async () => {
    let finish = () => {};
    const { supervisor, start } = closable(() => new Promise((resolve) => (finish = resolve)));
    const now = () => [supervisor.offline().code, supervisor.mayReturn];
    expect(now()).toEqual(['NOT_CONNECTED', false]);
    await start();
    expect(now()).toEqual(['NOT_CONNECTED', true]);
    supervisor.throwIfEnding();
    const closing = supervisor.close({ deadlineMs: 1000 });
    expect(now()).toEqual(['CLOSED', false]);
    expect(() => supervisor.throwIfEnding()).toThrow('the connection to test://broker');
    finish();
    await closing;
    expect(now()).toEqual(['CLOSED', false]);
  });

  test('the reason of an end that nobody asked for is told', async () => {
    const closed: CommlibError[] = [];
    const supervisor = new Supervisor({
      target: 'test://broker',
      open: async () => {
        throw banned();
      },
      onClosed: (error) => closed.push(error),
    });
    await expect(supervisor.start({ timeoutMs: 100, failFast: false, onEvent: () => {} })).rejects.toThrow();
    expect(closed).toMatchObject([{ code: 'CLOSED', cause: { code: 'AUTHENTICATION_FAILED' } }]);
  });
});
