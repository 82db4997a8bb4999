import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The full path of a program, or undefined. */
export function onPath(program: string): string | undefined {
  if (program.startsWith('/')) return existsSync(program) ? program : undefined;
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, program))
    .find((path) => existsSync(path));
}
