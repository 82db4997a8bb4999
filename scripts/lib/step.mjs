import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs a program and resolves with its exit code and everything it wrote. With `show` it writes to the terminal itself
 * instead.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ show?: boolean, env?: NodeJS.ProcessEnv, cwd?: string }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { show = false, env = process.env, cwd = root } = {}) {
  return new Promise((resolve) => {
    const stdio = show ? 'inherit' : ['ignore', 'pipe', 'pipe'];
    // npx is a batch file on Windows, which only a shell can run.
    const shell = process.platform === 'win32' && command === 'npx';
    const child = spawn(command, args, { cwd, env, stdio, shell });
    let output = '';
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    const done = (code) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      resolve({ code, output });
    };
    child.once('error', (error) => {
      output += `${command}: ${error.message}\n`;
      done(127);
    });
    child.once('close', (code, signal) => done(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/** Runs a Node program of the workspace, e.g. `node('typescript', 'bin/tsc', ['-b'])`. */
export function tool(packageName, file, args, options) {
  return run(process.execPath, [`${root}/node_modules/${packageName}/${file}`, ...args], options);
}

/**
 * One step of a script: a line with its name and time; the whole output only when it fails.
 *
 * @param {string} name
 * @param {() => Promise<{ code: number, output: string }>} work
 * @returns {Promise<boolean>} whether it went well
 */
export async function step(name, work) {
  const begin = performance.now();
  const terminal = process.stderr.isTTY;
  if (terminal) process.stderr.write(`  ${name} …`);
  const { code, output } = await work();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  const mark = code === 0 ? '✓' : '✗';
  process.stderr.write(`${terminal ? '\r\x1b[K' : ''}${mark} ${name} (${seconds} s)\n`);
  if (code !== 0) process.stderr.write(`${output.trimEnd()}\n${name} failed with exit code ${code}\n`);
  return code === 0;
}
