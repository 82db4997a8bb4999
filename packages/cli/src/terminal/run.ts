/** Runs a command line: usage errors, failures and signals become one line on stderr and an exit code. */
import { type Command, CommanderError } from 'commander';
import { EXIT, exitCodeOf, messageOf, StopError } from './exit-codes.js';
import type { Io } from './io.js';
import { oneLine, toJson } from './text.js';

/** A program and how its errors are shown. */
export interface Cli {
  readonly program: Command;
  /** Errors as `{"error":{"code","message"}}` instead of text. */
  readonly jsonErrors?: (() => boolean) | undefined;
}

/** Runs the program with the arguments that follow the executable's name; resolves with the exit code. */
export async function runCli({ program, jsonErrors }: Cli, args: readonly string[], io: Io): Promise<number> {
  // A mistake may come before --json on the line, so the options are not asked.
  if (jsonErrors && args.includes('--json')) {
    onUsageError(program, (line) => io.err.write(`${toJson({ error: { code: 'USAGE', message: line } })}\n`));
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (io.signal.aborted) {
      const reason: unknown = io.signal.reason;
      return reason instanceof StopError ? reason.exitCode : EXIT.failed;
    }
    // Commander has said it already: help and version are 0, everything else is a mistake of the user.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'FAILED';
    if (jsonErrors?.()) io.err.write(`${toJson({ error: { code, message: messageOf(error) } })}\n`);
    else io.err.write(`${io.err.colours.red(`${shortName(program)}:`)} ${oneLine(messageOf(error))}\n`);
    return exitCodeOf(error);
  }
}

/** Makes commander write where the command writes, throw instead of ending the process, and take one line per error. */
export function prepare(program: Command, io: Io): Command {
  const settings = (command: Command) => {
    command.exitOverride();
    command.configureHelp({ showGlobalOptions: true });
    command.configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      getOutHasColors: () => io.out.isTerminal,
      getErrHasColors: () => io.err.isTerminal,
    });
    for (const child of command.commands) settings(child);
  };
  settings(program);
  onUsageError(program, (line) => {
    io.err.write(`${io.err.colours.red(`${shortName(program)}:`)} ${line} — try --help\n`);
  });
  return program;
}

/** What is done with a mistake in the command line, said in one line; of every command. */
function onUsageError(command: Command, say: (line: string) => void): void {
  command.configureOutput({
    outputError: (text) => {
      const trimmed = text.trim().replace(/^error: /, '');
      say(oneLine(trimmed.replace(/\n\(/, ' (')));
    },
  });
  for (const child of command.commands) onUsageError(child, say);
}

/** `npm start --` in a usage line is `npm start` in front of an error. */
function shortName(program: Command): string {
  return program.name().replace(/ --$/, '');
}
