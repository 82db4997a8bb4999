import { describe, expect, test } from 'vitest';
import { freePort } from '../brokers/index.js';
import { onPath } from '../brokers/on-path.js';
import { startProcess } from '../brokers/process.js';
import { run } from '../docs/commands.js';
import { root } from '../docs/markdown.js';

const server = onPath('nats-server') ?? onPath('/usr/sbin/nats-server');
if (server === undefined) console.warn('not run: the example transport: no nats-server on the PATH');

describe.skipIf(server === undefined)('the example transport of the guide', () => {
  test('keeps the contract, proved by the kit and the test runner of Node', async () => {
    const port = await freePort();
    const nats = await startProcess(server ?? '', ['-a', '127.0.0.1', '-p', String(port)], {
      ready: async (log) => log.includes('Server is ready'),
    });
    try {
      const command = 'node --import tsx --test --test-reporter=tap docs/examples/nats/conformance.test.ts';
      const env = { ...process.env, NATS_URL: `nats://127.0.0.1:${port}` };
      const { code, text } = await run(command, root, env);
      expect(text.match(/^\s*not ok .*$/gm) ?? []).toEqual([]);
      expect(text.match(/^\s+ok /gm)?.length ?? 0).toBeGreaterThan(100);
      expect(code).toBe(0);
    } finally {
      await nats.end('SIGTERM');
    }
  }, 120_000);
});
