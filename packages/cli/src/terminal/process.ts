/** Runs a tool as this process: signals, closed pipes, and an exit code instead of `process.exit`. */
import { EXIT, StopError } from './exit-codes.js';
import { coloursFor, type Io, type Output } from './io.js';

/** After the work is done the process ends by itself; if anything still holds it, it is ended. */
const LINGER_MS = 3_000;
/** npm and other wrappers pass Ctrl-C on although the terminal has sent it to us already: that is not a second one. */
const SAME_KEY_MS = 500;

/**
 * Calls `main` with the surroundings of this process and makes its result the exit code.
 *
 * The first SIGINT or SIGTERM stops `main` in good order through its signal; a second one ends the process at once.
 * When the reader of our output goes away (`| head`), `main` is stopped and the exit code is 0. Output that cannot be
 * written for another reason (a full disk) was asked for and did not happen: the exit code is 1.
 */
export async function runProcess(main: (io: Io) => Promise<number>): Promise<void> {
  const stop = new AbortController();
  let stoppedAt = Number.POSITIVE_INFINITY;
  let unwritten: Error | undefined;
  const on = (name: 'SIGINT' | 'SIGTERM', exitCode: number) => {
    process.on(name, () => {
      if (performance.now() - stoppedAt > SAME_KEY_MS) process.exit(exitCode);
      if (stop.signal.aborted) return;
      stoppedAt = performance.now();
      stop.abort(new StopError(name === 'SIGINT' ? 'interrupted' : 'terminated', exitCode));
    });
  };
  on('SIGINT', EXIT.interrupted);
  on('SIGTERM', EXIT.terminated);
  const outputOf = (stream: NodeJS.WriteStream): Output => {
    let gone = false;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      gone = true;
      const closed = error.code === 'EPIPE';
      if (!closed) unwritten ??= error;
      stop.abort(new StopError('the output was closed', closed ? EXIT.ok : EXIT.failed, true));
    });
    return {
      write: (text) => {
        if (!gone) stream.write(text);
      },
      isTerminal: stream.isTTY === true,
      colours: coloursFor(stream.isTTY === true, process.env),
    };
  };
  const io: Io = {
    out: outputOf(process.stdout),
    err: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    signal: stop.signal,
  };
  process.exitCode = EXIT.failed;
  process.exitCode = await main(io);
  // The last write may fail only after the work is done.
  process.once('beforeExit', () => {
    if (unwritten === undefined) return;
    io.err.write(`the output cannot be written: ${unwritten.message}\n`);
    if (process.exitCode === EXIT.ok) process.exitCode = EXIT.failed;
  });
  setTimeout(() => process.exit(), LINGER_MS).unref();
}
