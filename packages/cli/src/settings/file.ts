/** Settings from a file: the one that is named, else `./commlib.json`, else the user's own. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from '../terminal/exit-codes.js';
import type { Io } from '../terminal/io.js';
import { givenSchema, type Source } from './given.js';

/** The file's name in the working directory. */
export const LOCAL_FILE = 'commlib.json';

/**
 * Reads the configuration file. Only the first that exists counts; a file that was named must exist.
 *
 * @param named From `--config` or `COMMLIB_CONFIG`.
 * @throws {@link UsageError}
 */
export async function fromFile(io: Io, named: string | undefined): Promise<Source | undefined> {
  if (named !== undefined) return (await read(resolve(io.cwd, named), true)) as Source;
  return (await read(join(io.cwd, LOCAL_FILE), false)) ?? (await read(userFile(io.env), false));
}

/** `$XDG_CONFIG_HOME/commlib/config.json`, by default `~/.config/commlib/config.json`. */
export function userFile(env: Io['env']): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'commlib', 'config.json');
}

async function read(path: string, must: boolean): Promise<Source | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const missing =
      error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
    if (missing && !must) return undefined;
    throw new UsageError(`the configuration file ${path} ${missing ? 'does not exist' : 'cannot be read'}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text, which may hold a password.
    const at = error instanceof Error ? /at position \d+/.exec(error.message)?.[0] : undefined;
    throw new UsageError(`the configuration file ${path} is not JSON${at ? ` (${at})` : ''}`);
  }
  const checked = givenSchema.safeParse(value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
    throw new UsageError(`the configuration file ${path}: ${where}${issue?.message}`);
  }
  const given = { ...checked.data };
  for (const key of ['ca', 'cert', 'key', 'passwordFile'] as const) {
    const file = given[key];
    if (file !== undefined) given[key] = resolve(dirname(path), file);
  }
  return { name: path, given };
}
