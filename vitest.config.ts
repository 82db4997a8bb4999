import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (name: string) => fileURLToPath(new URL(`./packages/${name}/src/index.ts`, import.meta.url));

/** Tests run on the sources, so that a test never sees a stale build. */
export const alias = {
  '@commlib/core': source('core'),
  '@commlib/transport-mqtt': source('transport-mqtt'),
  '@commlib/transport-amqp': source('transport-amqp'),
  '@commlib/transport-redis': source('transport-redis'),
  '@commlib/transport-kafka': source('transport-kafka'),
  '@commlib/conformance': source('conformance'),
  '@commlib/hbot-protocol': source('hbot-protocol'),
  '@commlib/cli': source('cli'),
};

export default defineConfig({
  resolve: { alias },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.mjs'],
          setupFiles: ['test/watchdog/watchdog.mjs'],
          testTimeout: 15_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          globalSetup: ['test/brokers/global-setup.ts'],
          setupFiles: ['test/watchdog/watchdog.mjs', 'test/brokers/setup-file.ts'],
          // Brokers, bots and browsers: one file at a time, so that a slow machine tells a fault from a lack of CPU.
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
