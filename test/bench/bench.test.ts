import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn } from '../brokers/index.js';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const loader = import.meta.resolve('tsx');
const bench = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['--import', loader, main, ...args], { timeout: 170_000 });

const measured = z.object({
  medians: z.object({
    rate: z.number().positive(),
    cpu: z.number().positive(),
    memory: z.number().positive(),
  }),
  ratios: z.object({ rate: z.object({ pairs: z.array(z.number().positive()).length(1) }) }).optional(),
});
const output = z.object({
  brokers: z.array(
    z.object({
      id: z.string(),
      scenarios: z.record(z.string(), z.record(z.string(), measured)),
    }),
  ),
  verdicts: z.array(z.object({ scenario: z.string(), subject: z.string() })),
  skipped: z.array(z.string()),
});

async function measuredBy(...args: string[]): Promise<z.infer<typeof output>> {
  const { stdout } = await bench('--json', ...args);
  return output.parse(JSON.parse(stdout));
}

describeOn(
  'mosquitto',
  () => {
    test('the smallest size: every scenario, every subject; no figure is judged', async () => {
      const { brokers, verdicts, skipped } = await measuredBy(
        ...['--quick', '--transport', 'mqtt', '--broker', 'tuned'],
      );
      expect(brokers.map(({ id }) => id)).toEqual(['tuned']);
      const scenarios = brokers[0]?.scenarios ?? {};
      expect(Object.keys(scenarios)).toEqual([
        ...['pubsub', 'pubsub-qos1', 'at-least-once', 'rpc-1', 'rpc-64', 'rpc-512'],
      ]);
      for (const subjects of Object.values(scenarios)) {
        expect(Object.keys(subjects)).toEqual(['raw', 'commlib', 'commlib+zod']);
      }
      expect(verdicts).toHaveLength(6 * 2);
      expect(skipped).toEqual([]);
    }, 180_000);

    test("one scenario on Mosquitto's defaults", async () => {
      const only = ['--transport', 'mqtt', '--scenario', 'pubsub-qos1', '--subject', 'commlib'];
      const { brokers } = await measuredBy('--quick', '--broker', 'default', ...only);
      expect(Object.keys(brokers[0]?.scenarios['pubsub-qos1'] ?? {})).toEqual(['raw', 'commlib']);
    }, 60_000);
  },
  { own: true },
);

for (const [broker, transport] of [
  ['rabbitmq', 'amqp'],
  ['redis', 'redis'],
  ['kafka', 'kafka'],
] as const) {
  describeOn(
    broker,
    () => {
      test(`the smallest size on ${transport}`, async () => {
        const wanted = ['pubsub', 'at-least-once', 'rpc-64'];
        const { brokers, verdicts } = await measuredBy(
          ...['--quick', '--transport', transport, '--subject', 'raw-unpipelined', '--subject', 'commlib'],
          ...wanted.flatMap((id) => ['--scenario', id]),
        );
        expect(brokers.map(({ id }) => id)).toEqual([transport]);
        const scenarios = brokers[0]?.scenarios ?? {};
        expect(Object.keys(scenarios)).toEqual(wanted);
        const unpipelined = transport === 'redis' ? ['raw-unpipelined'] : [];
        expect(Object.keys(scenarios['rpc-64'] ?? {})).toEqual(['raw', ...unpipelined, 'commlib']);
        expect(verdicts).toHaveLength(wanted.length + unpipelined.length);
      }, 180_000);
    },
    { own: true },
  );
}

test('an option that does not exist is an error, not ignored', async () => {
  await expect(bench('--fast')).rejects.toThrow(/--fast/);
  await expect(bench('--scenario', 'rpc-2')).rejects.toThrow(/no scenario rpc-2/);
  await expect(bench('--transport', 'nats')).rejects.toThrow(/no transport nats/);
});
