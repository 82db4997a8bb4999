import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type BrokerName,
  describeOn,
  sharedKafka,
  sharedRabbitmq,
  sharedRedis,
  startMosquitto,
} from '../brokers/index.js';
import { programOf, run } from './commands.js';
import { root } from './markdown.js';

const example = `${root}/docs/examples/any-broker.ts`;
const folder = `${root}/.cache/docs/any-broker`;
const line = "import { mqtt as broker } from '@commlib/transport-mqtt';";

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The example with its one line changed, run; what it printed. */
async function printedBy(transport: string, url: string): Promise<string> {
  const text = await readFile(example, 'utf8');
  expect(text.split(line)).toHaveLength(2);
  const file = `${folder}/${transport}.ts`;
  await mkdir(folder, { recursive: true });
  await writeFile(file, text.replace(line, line.replaceAll('mqtt', transport)));
  const { code, text: printed } = await run(`exec ${programOf('tsx')} ${file} ${url}`, root);
  expect(code, printed).toBe(0);
  return printed.trim();
}

const brokers: readonly [
  BrokerName,
  string,
  () => Promise<{ readonly url: string; stop?(): Promise<void> }>,
][] = [
  ['mosquitto', 'mqtt', () => startMosquitto({ own: true })],
  ['rabbitmq', 'amqp', sharedRabbitmq],
  ['redis', 'redis', sharedRedis],
  ['kafka', 'kafka', sharedKafka],
];

describe('one line changed per transport', async () => {
  const promised = /\/\* prints:\n([\s\S]*?)\*\//.exec(await readFile(example, 'utf8'))?.[1]?.trim();

  for (const [name, transport, start] of brokers) {
    describeOn(name, () => {
      test(`the same program does the same work over ${transport}`, async () => {
        const broker = await start();
        try {
          expect(await printedBy(transport, broker.url)).toBe(promised);
        } finally {
          await broker.stop?.();
        }
      }, 90_000);
    });
  }
});
