/** A program ends by itself when its node is closed, whatever the connection is doing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { describeOn, freePort, until } from '../../brokers/index.js';
import type { TcpProxy } from '../proxy.js';
import { oneOfEach, type Stage } from '../stages/index.js';

/** From the request to close to the end of the process, the start of Node not counted. Generous: machines are slow. */
const SOON_MS = 20_000;

/** Compiled once: a program that is read as TypeScript takes seconds to start. Inside the workspace, where it finds its packages. */
const program = fileURLToPath(new URL('../../.cache/exit-program.mjs', import.meta.url));
beforeAll(() =>
  build({
    entryPoints: [fileURLToPath(new URL('program.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  }),
);

const programs: ChildProcess[] = [];
afterEach(() => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [program, ...args]);
  programs.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    output: () => output,
    says: (line: string) =>
      until(() => output.split('\n').includes(line), { what: `the program says ${line}`, timeoutMs: 20_000 }),
    /** Tells it to close; resolves with its exit code and the time that took. */
    async close() {
      const begun = performance.now();
      child.stdin.end();
      const code = await ended;
      return { code, ms: performance.now() - begun };
    },
    ended,
  };
}

for (const kind of oneOfEach) {
  test(`${kind.protocol}: nobody listens and the first failure counts: it says so and ends`, async () => {
    const program = start(`${kind.protocol}://127.0.0.1:${await freePort()}`, 'failFast');
    expect(await program.ended).toBe(0);
    expect(program.output()).toMatch(/failed: .*nobody listens there/);
  });

  describeOn(
    kind.broker,
    () => {
      let stage: Stage;
      let proxy: TcpProxy;
      beforeAll(async () => {
        stage = await kind.start();
        proxy = stage.proxies.near;
      });
      afterEach(async () => {
        proxy.resume();
        await proxy.accept();
      });
      afterAll(() => stage?.[Symbol.asyncDispose]());

      test.each<[string, (program: ReturnType<typeof start>) => Promise<void>]>([
        [
          'connected',
          // An orderly end is no loss.
          async (program) => {
            await program.close();
            expect(program.output()).not.toContain('reconnecting');
          },
        ],
        [
          'reconnecting, since nobody listens any more',
          async (program) => {
            await proxy.refuse();
            await program.says('reconnecting');
          },
        ],
        [
          'connected to a link that passes nothing',
          async () => {
            proxy.pause();
          },
        ],
        [
          'reconnecting to a link that passes nothing',
          async (program) => {
            const before = proxy.accepted;
            proxy.pause();
            proxy.cut();
            await program.says('reconnecting');
            await until(() => proxy.accepted > before, { what: 'an attempt that gets no answer' });
          },
        ],
      ])(
        `${kind.protocol}, closed while %s: everything is told, and the process ends`,
        async (_, disturb) => {
          const program = start(stage.url('near'));
          await program.says('working');
          await disturb(program);
          const { code, ms } = await program.close();
          expect(program.output()).toMatch(/call: (CLOSED|CONNECTION_LOST)\n(.*\n)*done\n$/);
          expect(code).toBe(0);
          expect(ms).toBeLessThan(SOON_MS);
        },
        60_000,
      );
    },
    { own: true },
  );
}
