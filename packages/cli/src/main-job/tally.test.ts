import { expect, test } from 'vitest';
import { coloursFor } from '../terminal/io.js';
import { commandNames } from './commands.js';
import { Tally } from './tally.js';

const never = new AbortController().signal;

function full(): Tally {
  const tally = new Tally();
  for (const command of commandNames)
    tally.results.push({ command, what: '', good: true, reply: { status: 200 } });
  for (const stream of ['hb', 'events', 'notify', 'log'] as const) tally.received(stream);
  return tally;
}

test('good only if every command was answered well and every stream was heard', () => {
  expect(full().good).toBe(true);
  const refused = full();
  refused.results.push({ command: 'start', what: 'again', good: false, reply: { status: 400 } });
  expect(refused.good).toBe(false);
  const unsent = full();
  unsent.results.splice(0, 1);
  expect(unsent.good).toBe(false);
  expect(unsent.text(coloursFor(false, {}))).toMatch(/✗ +start +was not sent/);
  const silent = new Tally();
  silent.results.push(...full().results);
  expect(silent.good).toBe(false);
  expect(silent.silent).toEqual(['heartbeats', 'events', 'notifications', 'log lines']);
});

test('waits for the streams, but not for ever', async () => {
  const tally = new Tally();
  await tally.heardAll(1, never);
  const waiting = tally.heardAll(60_000, never);
  for (const stream of ['hb', 'events', 'notify', 'log'] as const) tally.received(stream);
  await waiting;
  await new Tally().heardAll(60_000, AbortSignal.abort());
});
