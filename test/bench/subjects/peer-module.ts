/** Loads what `--peers` has installed. Its packages are no part of this workspace, so it has no types here: see the callers. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** `file` inside the package, which is inside the folder that `peers.ts` has made. */
export function peerModule(folder: string, peer: string, packageName: string, file: string) {
  return import(pathToFileURL(join(folder, peer, 'node_modules', packageName, file)).href);
}
