/**
 * Runs a page of the documentation as a reader would: blocks in order, files written, commands typed.
 *
 * - `ts some/file.ts`, `json some/file.json`, …: the file is written.
 * - `sh`: the commands are run and must end with 0; a `text` block that follows is what they print.
 * - `sh ends with 4`: the same with another exit code.
 * - `sh background`: stays running, as in a terminal of its own; a `text` block that follows is what it prints by then.
 * - `sh not run: <why>`: left out.
 * - other blocks without a file name are not run here.
 *
 * The commands run in a folder of their own below the repository. A free port stands for the page's 1883, and is the default of
 * the tools, unless the test replaces something else. `npx` takes only programs that are installed.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort } from '../brokers/ports.js';
import { type ServerProcess, startProcess } from '../brokers/process.js';
import { until } from '../brokers/until.js';
import { merged, programOf, run, timeLimitMs } from './commands.js';
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
  /** Where the files are written and the commands run. */
  readonly folder: string;
  /** Ends what still runs and removes the files. */
  close(): Promise<void>;
}

/** Options of {@link openPage}. */
export interface PageOptions {
  /** What the page says → what holds here, looked up when a step is run. Default: a free port for 1883. */
  readonly replace?: Record<string, string>;
  /** More environment for the commands. Default: the default broker of the tools, at that port. */
  readonly env?: Record<string, string>;
}

/** Prepares a page; nothing is run before the steps are. */
export async function openPage(path: string, options: PageOptions = {}): Promise<PageRun> {
  // Made by the first step: a page whose steps are not run leaves nothing behind.
  const folder = join(root, '.cache/docs', `page-${randomUUID()}`);
  const port = await freePort();
  const replace = options.replace ?? { '1883': String(port) };
  const env = { ...process.env, ...(options.env ?? { COMMLIB_BROKER: `mqtt://localhost:${port}` }) };
  const here = (text: string) =>
    Object.entries(replace).reduce((result, [said, meant]) => result.replaceAll(said, meant), text);
  const running: ServerProcess[] = [];
  const steps: Step[] = [];

  const blocks = blocksOf(path);
  blocks.forEach((block, i) => {
    const next = blocks[i + 1];
    const promised = next?.language === 'text' ? next.text : undefined;
    if (!['sh', 'text'].includes(block.language) && block.info !== '') {
      const file = join(folder, block.info);
      steps.push({
        title: `${block.where} writes ${block.info}`,
        run: async () => {
          await mkdir(dirname(file), { recursive: true });
          await writeFile(file, here(block.text));
        },
      });
    } else if (block.language === 'sh' && !block.info.startsWith('not run: ')) {
      const [first = '', ...more] = block.text.trim().split('\n');
      const title = `${block.where} ${first}${more.length > 0 ? ' …' : ''}`;
      steps.push({
        title,
        run: async () => {
          await mkdir(folder, { recursive: true });
          const command = prepare(block, here);
          const expected = promised === undefined ? undefined : here(promised);
          if (block.info === 'background') running.push(await stay(command, { folder, env, expected }));
          else await once(command, { folder, env, expected }, exitCodeOf(block));
        },
      });
    }
  });

  const close = async () => {
    // The last that was started first, as a reader would.
    for (const server of running.splice(0).reverse()) await server.end('SIGINT', 5_000);
    await rm(folder, { recursive: true, force: true });
  };
  return { steps, folder, close, [Symbol.asyncDispose]: close };
}

/** `npx name` becomes the program in the repository: npx would look on the network for one that is missing. */
function prepare(block: Block, here: (text: string) => string): string {
  const exec = block.info === 'background' ? 'exec ' : '';
  return here(block.text)
    .trim()
    .replaceAll(/\bnpx (\S+)/g, (_, name: string) => exec + programOf(name));
}

function exitCodeOf({ info, where }: Block): number {
  if (info === '') return 0;
  const match = /^ends with (\d+)$/.exec(info);
  if (!match) throw new Error(`${where}: a command block cannot be "${info}"`);
  return Number(match[1]);
}

/** Where a block is run and what it shall print. */
interface Setting {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly expected: string | undefined;
}

async function stay(command: string, { folder, env, expected }: Setting): Promise<ServerProcess> {
  const server = await startProcess('/bin/sh', ['-c', `cd '${folder}' && ${merged(command)}`], {
    env,
    ready: async () => true,
    timeoutMs: timeLimitMs,
  });
  try {
    await until(
      () => {
        if (!server.running()) throw new Error('it ended');
        return expected === undefined || hasPrinted(server.log(), expected);
      },
      { what: 'the output', timeoutMs: timeLimitMs },
    );
    return server;
  } catch (error) {
    await server.end('SIGINT', 5_000);
    throw new Error(
      `${command}\nshould have printed\n${expected ?? ''}\nand printed\n${plain(server.log())}\n${String(error)}`,
      { cause: error },
    );
  }
}

async function once(command: string, { folder, env, expected }: Setting, wanted: number): Promise<void> {
  const { code, text } = await run(`set -e\n${command}`, folder, env);
  if (code !== wanted)
    throw new Error(`${command}\nended with ${code} instead of ${wanted}:\n${plain(text)}`);
  if (expected !== undefined && !printed(text, expected))
    throw new Error(`${command}\nshould print\n${expected}\nand printed\n${plain(text)}`);
}

/** Runs the steps of a page in order. */
export async function runSteps(page: PageRun): Promise<void> {
  for (const step of page.steps) await step.run();
}
