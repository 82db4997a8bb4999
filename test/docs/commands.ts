/** Commands as a reader types them. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './markdown.js';

/** How long one command may take. */
export const timeLimitMs = 60_000;

/** The program that `npx name` runs in a clone: one of the root. npx itself would look for others on the network. */
export function programOf(name: string): string {
  const program = join(root, 'node_modules/.bin', name);
  if (!existsSync(program)) throw new Error(`${name} is not installed in the repository`);
  return program;
}

/** A command of the shell whose error output goes where its output goes, so that their order stays. */
export function merged(command: string): string {
  return `{ ${command}\n} 2>&1`;
}

/** Runs a command of the shell and hands back its exit code (or signal) and everything it printed. */
export function run(
  command: string,
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number | string; text: string }> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that nothing of it is left when it takes too long.
    const child = spawn('/bin/sh', ['-c', merged(command)], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    let text = '';
    const collect = (chunk: Buffer) => {
      text += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    const timer = setTimeout(() => {
      text += `\n(ended by the test after ${timeLimitMs} ms)`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, timeLimitMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? signal ?? 'unknown', text });
    });
  });
}
