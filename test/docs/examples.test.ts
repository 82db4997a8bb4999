import { readdirSync, readFileSync } from 'node:fs';
import { Node } from '@commlib/core';
import { HbotClient, SimulatedBot } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBroker, type MqttBroker, startEmbedded, startMosquitto, until } from '../brokers/index.js';
import { startProcess } from '../brokers/process.js';
import { programOf, run } from './commands.js';
import { root } from './markdown.js';
import { plain } from './output.js';

const folder = `${root}/docs/examples`;
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'));

/** What an example says at its end that it prints. */
function promised(name: string): string | undefined {
  return /\/\* prints:\n([\s\S]*?)\*\//.exec(readFileSync(`${folder}/${name}`, 'utf8'))?.[1]?.trim();
}

describe('examples', () => {
  let broker: MqttBroker;
  beforeAll(async () => {
    // One of our own in any case: an example stops every bot that it finds.
    const mosquitto = await findBroker('mosquitto', { own: true });
    broker = await (mosquitto.found ? startMosquitto({ own: true }) : startEmbedded());
  });
  afterAll(() => broker?.stop());

  /** Bots for the examples that look for some; heard often, so that nobody waits for them. */
  async function simulate(id: string): Promise<SimulatedBot> {
    return SimulatedBot.start({ id, transport: () => mqtt(broker.url), heartbeatMs: 300 });
  }

  test('each says what it prints, or has a test of its own', () => {
    expect(examples.filter((name) => promised(name) === undefined)).toEqual(['write-a-bot.ts']);
  });

  test.each(examples.filter((name) => promised(name) !== undefined))(
    '%s prints what it says',
    async (name) => {
      await using _one = name === 'emergency-stop.ts' ? await simulate('bot-1') : undefined;
      await using _two = name === 'emergency-stop.ts' ? await simulate('bot-2') : undefined;
      const command = `exec ${programOf('tsx')} ${folder}/${name} ${broker.url} 10000`;
      const { code, text } = await run(command, root);
      expect(plain(text)).toBe(promised(name));
      expect(code).toBe(0);
    },
    90_000,
  );

  test('write-a-bot.ts obeys its controller and says goodbye', async () => {
    const args = ['--import', 'tsx', `${folder}/write-a-bot.ts`, broker.url];
    const bot = await startProcess(process.execPath, args, { ready: async () => true });
    const printed = () => plain(bot.log()).split('\n');
    await using node = await new Node({ transport: mqtt(broker.url) }).start();
    await using client = await HbotClient.open(node, { id: 'mybot' });
    try {
      await until(() => printed().includes('mybot is on the air'), { what: 'the bot', timeoutMs: 30_000 });
      const notifications = await client.notifications();
      await client.start({ script: 'market_maker' });
      await expect(client.start()).rejects.toMatchObject({ reason: 'already-running' });
      expect((await client.status()).msg).toBe('running market_maker');
      await client.sendExternalEvent('market.news', { data: { about: 'BTC-USDT' } });
      for await (const { msg } of notifications) {
        expect(msg).toBe('read the news about BTC-USDT');
        break;
      }
      await client.stop();
      await bot.end('SIGTERM');
      await until(() => client.presence.state === 'offline', { what: 'its goodbye' });
      expect(printed()).toEqual([
        'mybot is on the air',
        'started market_maker',
        "news: { about: 'BTC-USDT' }",
        'stopped market_maker',
        'mybot said goodbye',
      ]);
    } finally {
      await bot.end('SIGKILL');
    }
  }, 60_000);
});
