/** Bundles for a browser, with nothing of Node's: an import that needs Node is an error here. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** A bundle and its size as it goes over the network. */
export interface Bundle {
  readonly code: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

/** Bundles the built packages, as a user's bundler does: no alias, the `exports` of each package decide. */
export async function bundleForBrowser(entry: string): Promise<Bundle> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    logLevel: 'silent',
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error('esbuild wrote nothing');
  return { code: output.text, bytes: output.contents.length, gzipBytes: gzipSync(output.contents).length };
}
