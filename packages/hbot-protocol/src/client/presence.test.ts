import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BotPresence, PresenceTracker } from './presence.js';

const START = 1_700_000_000_000;
let changes: BotPresence[];
let tracker: PresenceTracker;

const beat = () => tracker.beat({ ts: (Date.now() + 500) * 1_000 });
const says = (msg: 'online' | 'offline', timestamp = Date.now()) =>
  tracker.update({ timestamp, type: 'availability', msg });
const states = () => changes.map((change) => change.state);

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  changes = [];
  tracker = new PresenceTracker({
    lostAfterMs: 30_000,
    now: () => Date.now(),
    onChange: (presence) => changes.push(presence),
  });
  tracker.watch();
});
afterEach(() => {
  tracker.close();
  vi.useRealTimers();
});

describe('presence', () => {
  it('is never lost when no time is too long', () => {
    const endless = new PresenceTracker({
      lostAfterMs: Number.POSITIVE_INFINITY,
      now: () => Date.now(),
      onChange: (presence) => changes.push(presence),
    });
    endless.watch();
    vi.advanceTimersByTime(20_000);
    expect(states()).toEqual([]);
    endless.close();
  });

  it('says nothing after its end, whatever still comes', () => {
    tracker.close();
    beat();
    says('offline');
    tracker.replied(Date.now());
    tracker.watch();
    vi.advanceTimersByTime(60_000);
    tracker.unwatch();
    expect(states()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is unknown, then online by a heartbeat, then lost after 30 s without one', () => {
    expect(tracker.presence.state).toBe('unknown');
    beat();
    expect(tracker.presence).toMatchObject({ state: 'online', heartbeat: { sentAt: new Date(START) } });
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(10_000);
      beat();
    }
    expect(states()).toEqual(['online']);
    vi.advanceTimersByTime(30_000);
    expect(states()).toEqual(['online', 'lost']);
    expect(tracker.presence.since).toEqual(new Date(START + 80_000));
    beat();
    expect(tracker.presence.state).toBe('online');
  });

  it('is lost when nothing was heard for 30 s', () => {
    vi.advanceTimersByTime(30_000);
    expect(states()).toEqual(['lost']);
  });

  it('is what the bot says', () => {
    says('online');
    says('offline');
    vi.advanceTimersByTime(60_000);
    expect(states()).toEqual(['online', 'offline']);
    says('online');
    expect(tracker.presence.state).toBe('online');
  });

  it('is not misled by the statuses of an outage that arrive after the first heartbeat behind it', () => {
    beat();
    vi.advanceTimersByTime(20_000);
    beat(); // 2.15 and later: first the heartbeat, then what had waited
    says('offline', Date.now() - 15_000);
    expect(states()).toEqual(['online']);
  });

  it('cannot be told while our own connection is down', () => {
    beat();
    tracker.unwatch();
    vi.advanceTimersByTime(120_000);
    expect(states()).toEqual(['online', 'unknown']);
    tracker.watch();
    beat();
    expect(states()).toEqual(['online', 'unknown', 'online']);
  });

  it('is online by an answer, though no heartbeat was seen yet', () => {
    tracker.replied(Date.now());
    expect(states()).toEqual(['online']);
  });
});

describe('a half-dead bot', () => {
  const restart = /restart its process/;

  it('said offline and answers still', () => {
    beat();
    says('offline');
    vi.advanceTimersByTime(1);
    tracker.replied(Date.now());
    expect(tracker.presence).toMatchObject({
      state: 'offline',
      halfDead: true,
      advice: expect.stringMatching(restart),
    });
    expect(changes.at(-1)?.halfDead).toBe(true);
  });

  it('has no heartbeat and answers still', () => {
    beat();
    vi.advanceTimersByTime(40_000);
    tracker.replied(Date.now());
    expect(tracker.presence).toMatchObject({
      state: 'lost',
      halfDead: true,
      advice: expect.stringMatching(restart),
    });
  });

  it('is not one whose last answer was on its way when it said offline', () => {
    beat();
    const sentAt = Date.now();
    vi.advanceTimersByTime(5);
    says('offline');
    tracker.replied(sentAt);
    expect(tracker.presence.halfDead).toBe(false);
  });

  it('is one no longer when heartbeats come again', () => {
    says('offline');
    tracker.replied(Date.now());
    beat();
    expect(tracker.presence).toMatchObject({ state: 'online', halfDead: false });
    expect(tracker.presence.advice).toBeUndefined();
  });
});
