/** Stops every bot that can be heard, over one connection. A bot is heard every ten seconds, so it listens for twelve. */
import { Node } from '@commlib/core';
import { discover, HbotClient, HbotCommandError, HbotNoReplyError } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';

const [url = 'mqtt://localhost:1883', timeoutMs = '12000'] = process.argv.slice(2);
const node = await new Node({ transport: mqtt(url) }).start();
const results = new Map<string, string>();

async function stop(id: string): Promise<string> {
  const bot = await HbotClient.open(node, { id });
  try {
    await bot.stop({}, { timeoutMs: 10_000 });
    return 'stopped';
  } catch (error) {
    if (error instanceof HbotCommandError) return `refused: ${error.msg}`;
    if (error instanceof HbotNoReplyError) return `no answer: ${error.possibleReasons[0]}`;
    throw error;
  } finally {
    await bot.close();
  }
}

const stopping: Promise<unknown>[] = [];
for await (const { id } of discover(node, { timeoutMs: Number(timeoutMs) })) {
  stopping.push(stop(id).then((result) => results.set(id, result)));
}
await Promise.all(stopping);
await node.close();

for (const [id, result] of [...results].sort()) console.log(`${id}: ${result}`);

/* prints:
bot-1: stopped
bot-2: stopped
*/
