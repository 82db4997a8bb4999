/** A process with a bot and a client outlives the whole table and fast-check's variations of it, and then ends by itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, startMosquitto, until } from '../../brokers/index.js';
import { Attacker } from './attacker.js';
import { allCommands, goodData } from './bot.js';
import { badRequests, bytes, unreadable } from './samples.js';
import { attacks } from './variations.js';

const programs: ChildProcess[] = [];
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
});

const line = z.object({
  who: z.enum(['bot', 'client']).optional(),
  report: z.string().optional(),
  error: z.string().optional(),
  command: z.string().optional(),
  reply: z.union([z.number(), z.string()]).optional(),
  ready: z.boolean().optional(),
  heard: z.array(z.string()).optional(),
  done: z.boolean().optional(),
});

/** Every bad payload into every endpoint, but for the large ones, which take long. */
async function sendTable(attacker: Attacker): Promise<void> {
  for (const command of allCommands) {
    for (const { payload } of badRequests(goodData[command])) {
      if (payload.length < 1_000_000) await attacker.send(`hbot/b/${command}`, payload);
    }
  }
  const streams = ['hb', 'events', 'notify', 'log', 'status_updates', 'performance'];
  for (const topic of [...streams, 'external/event/x']) {
    for (const { payload } of unreadable) await attacker.send(`hbot/b/${topic}`, payload);
  }
}

function start(url: string, profile: string) {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const file = fileURLToPath(new URL('survival-program.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', loader, file, url, profile]);
  programs.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const said = () =>
    stdout
      .split('\n')
      .slice(0, -1)
      .map((text) => line.parse(JSON.parse(text)));
  return { child, ended, said, stderr: () => stderr };
}

describeOn(
  'mosquitto',
  () => {
    test.each([
      ['seed', 300],
      ['2.13', 200],
      ['2.18', 200],
    ])(
      'a simulated bot (%s) and its client under attack, %i variations',
      async (profile, numRuns) => {
        await using broker = await startMosquitto({ own: true });
        await using attacker = await Attacker.at(broker.url);
        const program = start(broker.url, profile);
        await until(() => program.said().some(({ ready }) => ready), {
          what: 'bot and client',
          timeoutMs: 20_000,
        });
        // The whole table once; the releases differ in how they handle what is good.
        if (profile === 'seed') await sendTable(attacker);
        // Good, but beyond what JavaScript's own numbers and JSON.stringify can do.
        for (const data of ['12345678901234567890', 'NaN', '-Infinity', '[1e400]', '{"toString":1}']) {
          for (const name of ['x', 'order/market']) {
            const event = `{"data":{"type":"buy","amount":${data},"n":${data}}}`;
            await attacker.send(`hbot/b/external/event/${name}`, bytes(event));
          }
        }
        await fc.assert(
          fc.asyncProperty(attacks, async ({ topic, payload }) => {
            await attacker.send(`hbot/b/${topic}`, payload);
            expect(program.child.exitCode).toBeNull();
          }),
          { numRuns },
        );
        program.child.stdin.end();
        expect(await program.ended, program.stderr()).toBe(0);
        expect(program.stderr()).toBe('');
        const said = program.said();
        expect(said.filter(({ error }) => error !== undefined)).toEqual([]);
        expect(said.filter(({ report }) => report?.startsWith('handler-error'))).toEqual([]);
        const answered = said.filter(({ command }) => command !== undefined);
        expect(answered.map(({ command }) => command)).toEqual(allCommands);
        // Which of them a release refuses is another test's; here each was answered.
        for (const { reply } of answered) expect([200, 400]).toContain(reply);
        expect(said.at(-1)).toMatchObject({ done: true });
      },
      90_000,
    );
  },
  { own: true },
);
