/** Surroundings that keep what is written, for running a program inside another: tests do. */
import { StopError } from './exit-codes.js';
import { coloursFor, type Io, type Output } from './io.js';

/** What can be set; the rest is empty. */
export interface CapturedOptions {
  readonly env?: Io['env'];
  readonly cwd?: string;
  /** Behave as on a terminal (without colours). Default false. */
  readonly isTerminal?: boolean;
}

/** An {@link Io} with what was written to it so far. */
export interface CapturedIo extends Io {
  readonly stdout: string;
  readonly stderr: string;
  /** As Ctrl-C does. */
  stop(exitCode?: number): void;
}

/** Makes one. */
export function capturedIo({
  env = {},
  cwd = '/nowhere',
  isTerminal = false,
}: CapturedOptions = {}): CapturedIo {
  const written = { out: '', err: '' };
  const stop = new AbortController();
  const output = (to: 'out' | 'err'): Output => ({
    write: (text) => {
      written[to] += text;
    },
    isTerminal,
    colours: coloursFor(false, {}),
  });
  return {
    out: output('out'),
    err: output('err'),
    env: { HOME: '/nowhere', ...env },
    cwd,
    signal: stop.signal,
    get stdout() {
      return written.out;
    },
    get stderr() {
      return written.err;
    },
    stop: (exitCode = 130) => stop.abort(new StopError('interrupted', exitCode)),
  };
}
