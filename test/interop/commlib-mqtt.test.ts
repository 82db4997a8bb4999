import { mqtt } from '@commlib/transport-mqtt';
import { connectAsync } from 'mqtt';
import { expect } from 'vitest';
import { startMosquitto } from '../brokers/index.js';
import {
  commonRows,
  fortyOfOneClient,
  itCalls,
  malformedRow,
  oneClientAtOnce,
  serveEcho,
  theirCalls,
} from './rows.js';
import { pythonControlsBot } from './simulated-bot.js';
import { interop, type Setting } from './suite.js';

async function sendRaw({ url }: Setting, at: string, payloads: readonly Uint8Array[]): Promise<void> {
  const client = await connectAsync(url);
  for (const payload of payloads)
    await client.publishAsync(at.replaceAll('.', '/'), Buffer.from(payload), { qos: 1 });
  await client.endAsync();
}

await interop({
  transport: 'mqtt',
  title: 'MQTT',
  broker: 'mosquitto',
  async start() {
    const broker = await startMosquitto();
    return { url: broker.url, stop: () => broker.stop() };
  },
  connect: (url) => mqtt(url),
  rows: [...commonRows, malformedRow(sendRaw), pythonControlsBot],
  cannot: [
    {
      row: itCalls,
      versions: ['0.13.2'],
      why: 'an untyped client of 0.13.2 returns the answer of its first call again and again; its typed client does not',
      async show(setting) {
        const at = setting.name('ts.untyped');
        const service = await serveEcho(setting.node, at);
        expect(await theirCalls(setting, at, '--count', '5')).toMatchObject({ ok: 1, wrong: 4 });
        await service.close();
      },
    },
    {
      row: oneClientAtOnce,
      versions: ['0.11.5', '0.13.1', '0.13.2'],
      why: 'a client object keeps one answer for all its calls and mixes them up; it takes a client object per call in flight',
      async show(setting) {
        expect(await fortyOfOneClient(setting)).toBeLessThan(40);
      },
    },
  ],
});
