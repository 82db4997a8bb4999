/**
 * A bot and a client in one process, under attack from outside. Says as JSON lines what happens; when its standard input
 * ends it tries every command and every stream once more, closes both, and must end by itself.
 */
import { Node } from '@commlib/core';
import { HbotClient, SimulatedBot, type SimulatorProfile } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { allCommands, goodData, reports } from './bot.js';

const say = (line: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(line)}\n`);
const [url = '', profile = 'seed'] = process.argv.slice(2);
const isProfile = (name: string): name is SimulatorProfile => ['seed', '2.13', '2.18'].includes(name);
if (!isProfile(profile)) throw new Error(`no profile ${profile}`);

const start = (who: string) =>
  new Node({
    transport: mqtt(url),
    onEvent: (event) => {
      if (event.type === 'status' && event.status.state === 'reconnecting')
        say({ who, error: `lost its connection: ${event.status.error.message}` });
      for (const report of reports([event])) say({ who, report });
    },
  }).start({ timeoutMs: 20_000 });
const botNode = await start('bot');
const clientNode = await start('client');
const bot = await SimulatedBot.start({
  id: 'b',
  node: botNode,
  profile,
  heartbeatMs: 200,
  onError: (error) => say({ who: 'bot', error: String(error) }),
});
const client = await HbotClient.open(clientNode, { id: 'b', timeoutMs: 10_000 });
const heard = new Set<string>();
await client.heartbeats(() => void heard.add('hb'));
await client.events(() => void heard.add('events'));
await client.notifications(() => void heard.add('notify'));
await client.logs(() => void heard.add('log'));
await client.statusUpdates(() => void heard.add('status_updates'));
await client.performance(() => void heard.add('performance'));
say({ ready: true });

await new Promise((resolve) => process.stdin.resume().once('end', resolve));
heard.clear();
for (const command of allCommands) {
  const reply = await client.request(command, JSON.parse(goodData[command])).then(
    ({ status }: { status: number }) => status,
    (error: Error) => error.message,
  );
  say({ command, reply });
}
await bot.bridge.publish.notify('still here');
await bot.bridge.publish.log('still here');
await bot.bridge.publish.event('OrderExpired', { order_id: 'a' });
await bot.bridge.publish.performance({});
await bot.bridge.restart();
const all = ['hb', 'events', 'notify', 'log', 'status_updates', 'performance'];
while (!all.every((stream) => heard.has(stream))) await new Promise((resolve) => setTimeout(resolve, 20));
say({ heard: [...heard].sort() });
await client.close();
await bot.close();
await clientNode.close();
await botNode.close();
say({ done: true, dropped: { bot: botNode.counters.dropped, client: clientNode.counters.dropped } });
