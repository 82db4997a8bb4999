import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SeenRequests } from './seen.js';

describe('requests seen before', () => {
  test('numbered and other addresses are both remembered', () => {
    const seen = new SeenRequests();
    for (const target of [
      'rpc-a/1',
      'rpc-a/01',
      'rpc-a/2',
      'rpc-b/1',
      'rpc-abc',
      'rpc-a/',
      'a/-1',
      'a/1e3',
      'a/1000',
      `a/${2 ** 53}`,
    ]) {
      expect([target, seen.repeated(target)]).toEqual([target, false]);
    }
    for (const target of [
      'rpc-a/1',
      'rpc-a/01',
      'rpc-a/2',
      'rpc-b/1',
      'rpc-abc',
      'rpc-a/',
      'a/-1',
      'a/1e3',
      'a/1000',
    ]) {
      expect([target, seen.repeated(target)]).toEqual([target, true]);
    }
  });

  test('a hundred thousand calls of one client are each new, once', () => {
    const seen = new SeenRequests();
    for (let n = 0; n < 100_000; n++) if (seen.repeated(`rpc-x/${n}`)) expect.unreachable();
    for (let n = 0; n < 100_000; n += 997) expect(seen.repeated(`rpc-x/${n}`)).toBe(true);
  });

  describe('in time', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['performance'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    test.each(['x', 'x/1'])('%s is remembered for the window, and forgotten after two', (target) => {
      const seen = new SeenRequests(60_000);
      seen.repeated('other/2');
      vi.advanceTimersByTime(30_000);
      expect(seen.repeated(target)).toBe(false);
      for (let s = 0; s < 60; s++) {
        vi.advanceTimersByTime(1_000);
        expect(seen.repeated(target)).toBe(true);
        seen.repeated(`x/${1000 + s}`); // a neighbour, whose coming must not keep it alive
      }
      vi.advanceTimersByTime(61_000);
      seen.repeated('x/2000');
      expect(seen.repeated(target)).toBe(false);
    });

    test('a long silence forgets at once', () => {
      const seen = new SeenRequests(60_000);
      seen.repeated('x');
      vi.advanceTimersByTime(600_000);
      expect(seen.repeated('x')).toBe(false);
    });
  });

  test.each<[string, (n: number) => string]>([
    ['names', (n) => `name-${n}`],
    ['prefixes', (n) => `prefix-${n}/1`],
    ['numbers far apart', (n) => `a/${n * 10_000}`],
    ['long names', (n) => `${n}-${'x'.repeat(10_000)}`],
    ['long prefixes', (n) => `${n}-${'x'.repeat(10_000)}/1`],
  ])('a flood of %s does not grow the memory without bound', (_, target) => {
    const seen = new SeenRequests(60_000, 100_000);
    for (let n = 0; n < 5_000; n++) expect(seen.repeated(target(n))).toBe(false);
    expect(seen.repeated(target(4_999))).toBe(true);
    expect(seen.repeated(target(1))).toBe(false);
  });
});
