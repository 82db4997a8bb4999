import { describe, expect, test } from 'vitest';
import { runningActions, stoppedActions } from './recording/actions.js';
import {
  idleCommands,
  importedCommands,
  runningCommands,
  stoppedCommands,
  tradedCommands,
} from './recording/commands.js';
import {
  compareRecordings,
  loadRecording,
  normaliser,
  parseBotJson,
  recordingNames,
  recordingText,
} from './recordings.js';

const key = ({ when, step }: { when: string; step: string }) => `${when}: ${step}`;
const names = (when: string, plans: readonly { step: string }[]) =>
  plans.map(({ step }) => key({ when, step }));

describe.each(recordingNames)('the recording $name', ({ name, mode }) => {
  test('has every command and action of the plan once', async () => {
    const { steps, actions } = await loadRecording(name);
    const recorded = [...steps.map(key)];
    expect(new Set(recorded).size).toBe(recorded.length);
    expect(recorded).toEqual(
      expect.arrayContaining([
        ...names('idle', idleCommands),
        ...names('imported', mode === 'ui' ? importedCommands : []),
        ...names('running', [...runningCommands, ...tradedCommands]),
        ...names('stopped', stoppedCommands),
      ]),
    );
    expect(actions.map(key)).toEqual(
      expect.arrayContaining([...names('running', runningActions), ...names('stopped', stoppedActions)]),
    );
  });

  test('names nothing of the machine it was made on', async () => {
    expect(recordingText(await loadRecording(name))).not.toMatch(/\/(?:root|home|tmp|work|Users)\//);
  });

  test('has all twelve event types', async () => {
    const { streams } = await loadRecording(name);
    expect(Object.keys(streams.events ?? {}).sort()).toEqual([
      ...[
        'BuyOrderCompleted',
        'BuyOrderCreated',
        'FundingPaymentCompleted',
        'OrderCancelled',
        'OrderExpired',
      ],
      ...['OrderFailure', 'OrderFilled', 'RangePositionLiquidityAdded', 'RangePositionLiquidityRemoved'],
      ...['RangePositionUpdateFailure', 'SellOrderCompleted', 'SellOrderCreated'],
    ]);
  });
});

describe('comparing', () => {
  test('a recording agrees with itself, also with its log lines in another order', async () => {
    const kept = await loadRecording('2.18-headless');
    const fresh = structuredClone(kept);
    for (const step of fresh.steps) {
      if (step.published.every(({ stream }) => stream === 'log')) step.published.reverse();
    }
    expect(compareRecordings(kept, fresh)).toEqual([]);
  });

  test('a changed reply, a missing step and a new event are each one difference', async () => {
    const kept = await loadRecording('2.18-headless');
    const fresh = structuredClone(kept);
    const [changed, dropped] = fresh.steps.splice(0, 2);
    fresh.steps.push({ ...changed!, reply: null });
    fresh.actions[0]!.published.push({ stream: 'events', body: { type: 'New' } });
    const found = compareRecordings(kept, fresh).map((line) => line.split('\n')[0]);
    expect(found).toEqual([
      `step ${key(changed!)}: reply`,
      `step ${key(dropped!)}: was not made`,
      `action ${key(fresh.actions[0]!)}: published`,
    ]);
  });
});

describe('normalising', () => {
  const clean = () => normaliser({ home: '/srv/bot', environment: '/srv/python', port: 18883 });

  test('points in time become their unit, other numbers stay', () => {
    const now = Date.now();
    const times = {
      s: Math.floor(now / 1000),
      ms: now,
      us: now * 1000,
      float: now / 1000,
      n: -1,
      big: 10 ** 12,
    };
    expect(clean()(times)).toEqual({ s: '<s>', ms: '<ms>', us: '<us>', float: '<s>', n: -1, big: 10 ** 12 });
  });

  test('equal order ids get equal numbers, over all calls', () => {
    const scope = clean();
    const [a, b] = ['a'.repeat(26), 'b'.repeat(26)];
    expect(scope([`buy://BTC-USDT/${a}`, `sell://BTC-USDT/${b}`])).toEqual([
      'buy://BTC-USDT/<id 1>',
      'sell://BTC-USDT/<id 2>',
    ]);
    expect(scope(`buy://BTC-USDT/${a}_0`)).toBe('buy://BTC-USDT/<id 1>_0');
  });

  test('places, dates and traceback frames are named', () => {
    const text =
      'at /srv/bot/conf\nTraceback (most recent call last):\n  File "x", line 1\n    f()\nKeyError: 1';
    expect(clean()(text)).toBe('at <home>/conf\nTraceback (most recent call last):\n  …\nKeyError: 1');
    expect(clean()('2026-01-02 03:04:05 and 00:00:30')).toBe('<date and time> and <hh:mm:ss>');
  });

  test('bare NaN and Infinity are read, and left alone inside strings', () => {
    expect(parseBotJson('{"a":NaN,"b":[-Infinity],"c":"NaN, \\"Infinity"}')).toEqual({
      a: '<NaN>',
      b: ['<-Infinity>'],
      c: 'NaN, "Infinity',
    });
  });
});
