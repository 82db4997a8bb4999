/** What the page runs: a controller in a browser, over a WebSocket. The test reads the result from the window. */
import { Node } from '@commlib/core';
import { HbotClient } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';

/** What the page found out. */
export interface PageReport {
  readonly replies: Readonly<Record<string, unknown>>;
  readonly heartbeat: number;
  readonly events: readonly string[];
  readonly refused: string;
  readonly closed: string;
}

declare global {
  interface Window {
    control(url: string, id: string): Promise<PageReport>;
  }
}

window.control = async (url, id) => {
  const node = await new Node({ transport: mqtt(url) }).start({ timeoutMs: 10_000 });
  const bot = await HbotClient.open(node, { id });
  const events: string[] = [];
  await bot.events((event) => void events.push(event.type));
  const replies: Record<string, unknown> = {};
  replies.import = await bot.importStrategy('conf_liquidity_mining_1');
  replies.start = await bot.start();
  replies.status = await bot.status();
  replies.history = await bot.history();
  replies.config = await bot.config();
  replies.limit = await bot.balanceLimit({ exchange: 'kucoin', asset: 'USDT', amount: 100 });
  replies.paper = await bot.balancePaper({ asset: 'USDT', amount: 100 });
  const heartbeats = await bot.heartbeats();
  let heartbeat = 0;
  for await (const { ts } of heartbeats) {
    heartbeat = Number(ts);
    break;
  }
  while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  replies.stop = await bot.stop();
  const refused = await bot.importStrategy('').then(
    () => 'accepted',
    (error: Error) => error.name,
  );
  await bot.close();
  await node.close();
  return { replies, heartbeat, events, refused, closed: node.status.state };
};
