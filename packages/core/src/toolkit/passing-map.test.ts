import { describe, expect, it } from 'vitest';
import { PassingMap } from './passing-map.js';

describe('a map of what passes', () => {
  it('has, gets, replaces and takes out, in the order of setting', () => {
    const map = new PassingMap<string, { n: number }>();
    map.set('a', { n: 1 });
    map.set('b', { n: 2 });
    map.set('c', { n: 3 });
    map.set('a', { n: 4 });
    expect([...map]).toEqual([
      ['a', { n: 4 }],
      ['b', { n: 2 }],
      ['c', { n: 3 }],
    ]);
    expect(map.take('b')).toEqual({ n: 2 });
    expect(map.take('b')).toBeUndefined();
    expect(map.delete('a')).toBe(true);
    expect(map.delete('a')).toBe(false);
    expect([map.size, map.has('a'), map.has('c'), map.get('b')]).toEqual([1, false, true, undefined]);
    expect([[...map.keys()], [...map.values()]]).toEqual([['c'], [{ n: 3 }]]);
    map.clear();
    expect([map.size, [...map]]).toEqual([0, []]);
  });

  it('may lose entries while it is walked through', () => {
    const map = new PassingMap<number, { n: number }>();
    for (let n = 0; n < 5; n++) map.set(n, { n });
    const seen: number[] = [];
    for (const [key] of map) {
      seen.push(key);
      map.delete(key);
      map.delete(key + 1);
    }
    expect(seen).toEqual([0, 2, 4]);
    expect(map.size).toBe(0);
  });
});
