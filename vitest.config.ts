import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));

/** Tests run on the sources, so that a test never sees a stale build. */
export const alias = {
  '@commlib/core': source('core'),
  '@commlib/transport-mqtt': source('transport-mqtt'),
  '@commlib/hbot-protocol': source('hbot-protocol'),
};

export default defineConfig({
  resolve: { alias },
  test: { include: ['packages/*/src/**/*.test.ts'], testTimeout: 15_000 },
});
