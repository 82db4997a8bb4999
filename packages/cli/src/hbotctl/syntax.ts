/** Pieces of the command line that several commands share. */
import type { Command } from 'commander';

/** A command whose first argument is the bot. */
export function botCommand(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).argument('<bot>', "the bot's instance_id");
}

/** The examples under a help text. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ hbotctl ${line}\n`).join('')}`;
}
