/** How a command ends: the exit codes of both tools, and which error leads to which. */
import { CommlibError, ConnectionError } from '@commlib/core';
import { joinLines } from './text.js';

/** Exit codes, the same for `commlib` and `hbotctl`. 0 only when what was asked for happened. */
export const EXIT = {
  ok: 0,
  /** Something else failed. */
  failed: 1,
  /** The command line, the environment or the configuration file is wrong. Nothing was sent. */
  usage: 2,
  /** No connection to the broker, or it ended for good: unreachable, wrong password, untrusted certificate. */
  connection: 3,
  /** Connected, but nobody answered in time. Whether the other side acted is not known. */
  noReply: 4,
  /** The other side answered: no. */
  refused: 5,
  /** This installation or this broker cannot do it. */
  unsupported: 6,
  /** Ctrl-C before the work was done. */
  interrupted: 130,
  /** SIGTERM before the work was done. */
  terminated: 143,
} as const;

/** What was typed, or what a file or variable says, cannot be used. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The other side answered, and the answer was no. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

/** The process was told to stop; the reason of the signal that every command gets. */
export class StopError extends Error {
  override name = 'StopError';
  readonly exitCode: number;
  /** The reader of our output has gone (`| head`): there is nobody to tell anything to. */
  readonly silent: boolean;

  constructor(message: string, exitCode: number, silent = false) {
    super(message);
    this.exitCode = exitCode;
    this.silent = silent;
  }
}

const CODES: Readonly<Record<string, number>> = {
  INVALID_NAME: EXIT.usage,
  INVALID_DATA: EXIT.usage,
  NOT_ENCODABLE: EXIT.usage,
  NOT_CONNECTED: EXIT.connection,
  CLOSED: EXIT.connection,
  TIMEOUT: EXIT.noReply,
  NO_RECEIVER: EXIT.noReply,
  NO_REPLY: EXIT.noReply,
  COMMAND_REFUSED: EXIT.refused,
  UNSUPPORTED: EXIT.unsupported,
};

/** The exit code of an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof StopError) return error.exitCode;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof RefusedError) return EXIT.refused;
  if (error instanceof ConnectionError) return EXIT.connection;
  if (!CommlibError.is(error)) return EXIT.failed;
  // The service answered with an error of its own making; its codes may be any.
  if (error.name === 'RemoteError') return EXIT.refused;
  return CODES[error.code] ?? EXIT.failed;
}

/** One line that says what went wrong. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return joinLines(text, ' ').trim();
}
