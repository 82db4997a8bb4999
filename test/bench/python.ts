/** Which commlib-py to measure. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../interop/environments.js';

export interface PythonChoice {
  readonly version: string | undefined;
  readonly python: string | undefined;
  /** Why none. */
  readonly why: string | undefined;
}

/** The newest that is there. None is made for this: that takes a package index and time. */
export function findPython(): PythonChoice {
  for (const version of ['0.13.2', '0.11.5']) {
    const python = join(cacheDirectory(), `commlib-py-${version}`, 'bin', 'python');
    if (existsSync(python)) return { version, python, why: undefined };
  }
  const why = `no environment commlib-py-0.13.2 or commlib-py-0.11.5 in ${cacheDirectory()}; the interop tests make them`;
  return { version: undefined, python: undefined, why };
}
