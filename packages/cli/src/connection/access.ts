/** Reads the files that the settings name: certificates, keys, passwords. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Settings } from '../settings/resolve.js';
import { UsageError } from '../terminal/exit-codes.js';
import type { Io } from '../terminal/io.js';
import type { Access } from './transports.js';

/** @throws {@link UsageError} naming the file that cannot be read or is not PEM. */
export async function readAccess(io: Io, settings: Settings): Promise<Access> {
  const text = async (path: string | undefined, what: string) => {
    if (path === undefined) return undefined;
    try {
      return await readFile(resolve(io.cwd, path), 'utf8');
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      throw new UsageError(`the ${what} ${path} ${missing ? 'does not exist' : 'cannot be read'}`);
    }
  };
  const pem = async (path: string | undefined, what: string) => {
    const content = await text(path, what);
    if (content !== undefined && !content.includes('-----BEGIN '))
      throw new UsageError(`the ${what} ${path} is not in PEM format (-----BEGIN …)`);
    return content;
  };
  if ((settings.cert === undefined) !== (settings.key === undefined))
    throw new UsageError('a client certificate needs both --cert and --key');
  const password =
    settings.password ?? (await text(settings.passwordFile, 'password file'))?.split(/\r?\n/)[0];
  return {
    ...settings,
    password,
    tlsFiles: {
      ca: await pem(settings.ca, 'CA file'),
      cert: await pem(settings.cert, 'certificate file'),
      key: await pem(settings.key, 'key file'),
    },
  };
}
