import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** How a child process is started. */
export interface OwnedProcessOptions {
  command: string;
  args: readonly string[];
  cwd?: string;
  /** Added to this process's own environment. */
  env?: Readonly<Record<string, string>>;
  /** Called with every line of the child's standard output, without its line end. */
  onLine?: (line: string) => void;
}

/** How many of the last lines of standard error are kept for error messages. */
const TAIL_LINES = 60;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A child process that cannot outlive its owner.
 *
 * `stop()` asks with SIGTERM and insists with SIGKILL. If this process ends without calling it, the child is killed;
 * and if this process is itself killed, the child sees the end of its standard input, which the programs of this
 * folder take as the order to leave (`--exit-with-stdin`).
 */
export class OwnedProcess implements AsyncDisposable {
  /** Resolves with `code 0`, `signal SIGTERM` or the error that kept it from starting; never rejects. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #errorLines: string[] = [];
  #end: string | undefined;

  constructor(options: OwnedProcessOptions) {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    child.stdin.on('error', () => {}); // it may be gone already
    createInterface({ input: child.stdout }).on('line', (line) => options.onLine?.(line));
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#errorLines.push(line);
      if (this.#errorLines.length > TAIL_LINES) this.#errorLines.shift();
    });
    this.ended = new Promise((resolve) => {
      const finish = (end: string) => {
        running.delete(child);
        this.#end ??= end;
        resolve(this.#end);
      };
      child.on('error', (error) => finish(`could not be started: ${error.message}`));
      // 'close' and not 'exit': all output has been read by then.
      child.on('close', (code, signal) => finish(signal ? `signal ${signal}` : `code ${code}`));
    });
  }

  /** Process id; `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended, or `undefined` while it runs. */
  get end(): string | undefined {
    return this.#end;
  }

  /** The last lines of its standard error, for error messages. */
  get errorTail(): string {
    return this.#errorLines.join('\n');
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /**
   * Ends the process and waits until it is gone. Harmless when it has ended already.
   *
   * @param graceMs how long SIGTERM may take before SIGKILL follows; default 5000
   * @returns how it ended, as in {@link OwnedProcess.ended}
   */
  async stop(graceMs = 5000): Promise<string> {
    if (this.#end === undefined) {
      this.#child.kill('SIGTERM');
      const insist = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
      try {
        await this.ended;
      } finally {
        clearTimeout(insist);
      }
    }
    return this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => undefined);
  }
}

/** Runs a program to its end. Resolves with its output and exit code; rejects only when it could not be started. */
export async function run(
  command: string,
  args: readonly string[],
  options: { timeoutMs: number; env?: Readonly<Record<string, string>> },
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  running.add(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    const [code] = await once(child, 'close');
    return { code: typeof code === 'number' ? code : null, output };
  } finally {
    running.delete(child);
  }
}
