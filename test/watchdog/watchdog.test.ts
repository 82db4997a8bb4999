import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const watchdog = fileURLToPath(new URL('./watchdog.mjs', import.meta.url));

function run(program: string, limitMs = 400): Promise<{ signal: string | undefined; stderr: string }> {
  return new Promise((resolve) => {
    const args = ['--import', watchdog, '--input-type=module', '--eval', program];
    const env = { ...process.env, COMMLIB_BLOCKED_MS: String(limitMs) };
    execFile(process.execPath, args, { env, timeout: 20_000 }, (error, _stdout, stderr) =>
      resolve({ signal: error?.signal ?? undefined, stderr }),
    );
  });
}

test.each([
  ['a loop', 'function forEver() { for (;;) Math.sqrt(2); } forEver();'],
  ['promises', 'async function forEver() { for (;;) await null; } void forEver();'],
])('a process that %s holds up is killed, and says where it was', async (_, program) => {
  const { signal, stderr } = await run(program);
  expect(signal).toBe('SIGKILL');
  expect(stderr).toContain('blocked for 0.4 s');
  expect(stderr).toContain('at forEver');
});

test('a process that waits, or works now and then, ends by itself', async () => {
  const { signal, stderr } = await run('setTimeout(() => {}, 7_000)', 3_000);
  expect(signal).toBeUndefined();
  expect(stderr).toBe('');
});
