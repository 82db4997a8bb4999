import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { accepts, freePort } from './ports.js';
import { startProcess } from './process.js';
import { until } from './until.js';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const listenOn = (port: number) => `require('net').createServer().listen(${port}, '127.0.0.1')`;

test('a server is ended, and its files removed, when the process that started it is killed', async () => {
  const script = fileURLToPath(new URL('./abandon.ts', import.meta.url));
  const starter = spawn(process.execPath, ['--import', 'tsx', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  starter.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await until(() => output.includes('\n'), { what: 'the server of the other process', timeoutMs: 20_000 });
  const server: { pid: number; directory: string } = JSON.parse(output);
  expect(alive(server.pid)).toBe(true);
  starter.kill('SIGKILL');
  await until(() => !alive(server.pid) && !existsSync(server.directory), { what: 'the end of the server' });
});

test('a server that ends at once is an error that shows what it said', async () => {
  const start = startProcess(
    process.execPath,
    ['-e', 'console.error("no such option: x"); process.exit(3)'],
    {
      ready: async () => false,
    },
  );
  await expect(start).rejects.toThrow(/ended with 3[\s\S]*no such option: x/);
});

test('a server that does not get ready in time is an error, and is ended', async () => {
  let pid = 0;
  const start = startProcess(
    process.execPath,
    ['-e', 'console.log(process.pid); setInterval(() => {}, 1000)'],
    {
      ready: async () => false,
      timeoutMs: 500,
    },
  );
  await expect(start).rejects.toThrow(/waited 500 ms in vain/);
  await start.catch((error: Error) => {
    pid = Number(/^\d+$/m.exec(error.message)?.[0]);
  });
  expect(pid).toBeGreaterThan(0);
  expect(alive(pid)).toBe(false);
});

test('a program that is not there is an error that names it', async () => {
  const start = startProcess('/no/such/broker', [], { ready: async () => true });
  await expect(start).rejects.toThrow(/cannot start \/no\/such\/broker/);
});

test('it is ready when it says so, and gone after end', async () => {
  const port = await freePort();
  const server = await startProcess(process.execPath, ['-e', listenOn(port)], { ready: () => accepts(port) });
  expect(server.running()).toBe(true);
  await server.end('SIGTERM');
  expect(server.running()).toBe(false);
  expect(await accepts(port)).toBe(false);
});

test('free ports asked for at once are different ones', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, freePort));
  expect(new Set(ports).size).toBe(50);
});
