/**
 * Runs a page of the documentation as a reader would: blocks in order, files written, commands typed.
 *
 * - `ts some/file.ts`: the file is written.
 * - `sh`: the commands are run and must end with 0; a `text` block that follows is what they print.
 * - `sh ends with 4`: the same with another exit code.
 * - `sh background`: stays running, as in a terminal of its own; a `text` block that follows is what it prints by then.
 * - `sh not run: <why>`: left out.
 * - `ts` without a file name, `json`, `yaml`, … are not run here.
 *
 * The commands run in a folder of their own below the repository, with a free port wherever the page says 1883, and
 * `npx` takes only programs that are installed there.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort } from '../brokers/ports.js';
import { type ServerProcess, startProcess } from '../brokers/process.js';
import { until } from '../brokers/until.js';
import { type Block, blocksOf, root } from './markdown.js';
import { hasPrinted, plain, printed } from './output.js';

/** One thing that the page has the reader do. */
export interface Step {
  /** For the name of a test. */
  readonly title: string;
  run(): Promise<void>;
}

/** A page being run. */
export interface PageRun extends AsyncDisposable {
  /** To be run in order, each only if those before went well. */
  readonly steps: readonly Step[];
  /** Ends what still runs and removes the files. */
  close(): Promise<void>;
}

const stepTimeoutMs = 60_000;

/** Prepares a page; nothing is run before the steps are. */
export async function openPage(path: string): Promise<PageRun> {
  const parent = join(root, '.cache/docs');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'page-'));
  const port = await freePort();
  const here = (text: string) => text.replaceAll('1883', String(port));
  const running: ServerProcess[] = [];
  const steps: Step[] = [];

  const blocks = blocksOf(path);
  blocks.forEach((block, i) => {
    const next = blocks[i + 1];
    const expected = next?.language === 'text' ? here(next.text) : undefined;
    if (block.language === 'ts' && block.info !== '') {
      const file = join(folder, block.info);
      steps.push({
        title: `${block.where} writes ${block.info}`,
        run: async () => {
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, here(block.text));
        },
      });
    } else if (block.language === 'sh' && !block.info.startsWith('not run: ')) {
      const title = `${block.where} ${block.text.trim().split('\n').join('; ')}`;
      const commands = prepare(block, here);
      steps.push({
        title,
        run: async () => {
          if (block.info === 'background') running.push(await stay(commands, folder, expected));
          else await once(commands, folder, expected, exitCodeOf(block));
        },
      });
    }
  });

  const close = async () => {
    // The last that was started first, as a reader would.
    for (const process of running.splice(0).reverse()) await process.end('SIGINT', 5_000);
    await rm(folder, { recursive: true, force: true });
  };
  return { steps, close, [Symbol.asyncDispose]: close };
}

/** `npx name` becomes the program in the repository: npx would look on the network for one that is missing. */
function prepare(block: Block, here: (text: string) => string): string[] {
  const lines = here(block.text)
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) =>
    line.replace(/^npx (\S+)/, (_, name: string) => {
      const program = join(root, 'node_modules/.bin', name);
      if (!existsSync(program))
        throw new Error(`${block.where}: npx would not find ${name} in the repository`);
      return `exec ${program}`;
    }),
  );
}

function exitCodeOf({ info, where }: Block): number {
  if (info === '') return 0;
  const match = /^ends with (\d+)$/.exec(info);
  if (!match) throw new Error(`${where}: a command block cannot be "${info}"`);
  return Number(match[1]);
}

async function stay(
  commands: string[],
  folder: string,
  expected: string | undefined,
): Promise<ServerProcess> {
  const command = commands.join(' && ');
  let started: ServerProcess | undefined;
  const process = await startProcess('/bin/sh', ['-c', `cd '${folder}' && ${command}`], {
    ready: async () => true,
    timeoutMs: stepTimeoutMs,
  });
  started = process;
  try {
    await until(
      () => {
        if (!started?.running()) throw new Error(`${command} ended:\n${process.log()}`);
        return expected === undefined || hasPrinted(process.log(), expected);
      },
      { what: 'the output', timeoutMs: stepTimeoutMs },
    );
    return process;
  } catch (error) {
    await process.end('SIGINT', 5_000);
    throw new Error(
      `${command}\nshould have printed\n${expected ?? ''}\nand printed\n${plain(process.log())}\n${String(error)}`,
      { cause: error },
    );
  }
}

async function once(
  commands: string[],
  folder: string,
  expected: string | undefined,
  wanted: number,
): Promise<void> {
  let output = '';
  for (const [i, command] of commands.entries()) {
    const { code, text } = await run(command, folder);
    output += text;
    const due = i === commands.length - 1 ? wanted : 0;
    if (code !== due) throw new Error(`${command}\nended with ${code} instead of ${due}:\n${plain(text)}`);
  }
  if (expected !== undefined && !printed(output, expected))
    throw new Error(`${commands.join('\n')}\nshould print\n${expected}\nand printed\n${plain(output)}`);
}

function run(command: string, cwd: string): Promise<{ code: number | string; text: string }> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that nothing of it is left when it takes too long.
    const child = spawn('/bin/sh', ['-c', command], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let text = '';
    const collect = (chunk: Buffer) => {
      text += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const timer = setTimeout(() => {
      text += `\n(ended by the test after ${stepTimeoutMs} ms)`;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, stepTimeoutMs);
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
