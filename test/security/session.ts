/** A bot and its controller over a broker that is choosy about whom it lets do what. */
import { HbotClient, SimulatedBot, type SimulatorProfile } from '@commlib/hbot-protocol';
import { type MqttOptions, mqtt } from '@commlib/transport-mqtt';
import { expect } from 'vitest';
import { until } from '../brokers/index.js';
import { allCommands, goodData } from './malformed/bot.js';

/** How the two come in. */
export interface Way {
  readonly url: string;
  readonly bot: MqttOptions;
  readonly controller: MqttOptions;
  readonly profile?: SimulatorProfile;
}

/** Every command is answered, every stream heard, an external event taken. Fails with what was missing. */
export async function everythingWorks({ url, bot: asBot, controller, profile }: Way): Promise<void> {
  const transport = () => mqtt(url, asBot);
  await using bot = await SimulatedBot.start({ id: 'testbot', transport, heartbeatMs: 200, profile });
  const events: string[] = [];
  bot.bridge.onExternalEvent('*', ({ name }) => void events.push(name));
  await using client = await HbotClient.open(mqtt(url, controller), { id: 'testbot', timeoutMs: 10_000 });
  const heard = new Set<string>();
  await client.heartbeats(() => void heard.add('hb'));
  await client.events(() => void heard.add('events'));
  await client.notifications(() => void heard.add('notify'));
  await client.logs(() => void heard.add('log'));
  await client.statusUpdates(() => void heard.add('status_updates'));
  await client.performance(() => void heard.add('performance'));
  for (const command of allCommands) {
    const reply = await client.request(command, JSON.parse(goodData[command]));
    // What a bot makes of it is another test's; here it must be an answer.
    expect([200, 400], command).toContain(reply.status);
  }
  await client.sendExternalEvent('order.market', { data: { type: 'buy', amount: '0.1' } });
  const { publish } = bot.bridge;
  await publish.event('OrderExpired', { order_id: 'a' });
  await publish.notify('text');
  await publish.log('text');
  await publish.performance({});
  await until(() => events.includes('order.market'), { what: 'the external event' });
  await bot.bridge.restart();
  await until(() => heard.size === 6, { what: `all streams; heard: ${[...heard].join(', ')}` });
}
