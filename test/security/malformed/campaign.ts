/** fast-check's variations against a running bot and client: each message is handled once, or reported once. */
import { Node, type NodeEvent } from '@commlib/core';
import { HbotClient } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import fc from 'fast-check';
import { until } from '../../brokers/index.js';
import { Attacker } from './attacker.js';
import { allCommands, reports, startCountingBot } from './bot.js';
import { bytes } from './samples.js';
import { attacks } from './variations.js';

/** What became of the messages. */
export interface CampaignResult {
  readonly sent: number;
  /** Commands and external events that ran, messages of streams that were delivered. */
  readonly handled: number;
  readonly reported: number;
  /** Errors to which a bad request was answered, and answers to good ones. */
  readonly answered: number;
  readonly durationMs: number;
}

/** Runs it. @throws Error with the smallest message that was not handled or reported exactly once. */
export async function runCampaign(url: string, numRuns: number): Promise<CampaignResult> {
  await using attacker = await Attacker.at(url);
  await using bot = await startCountingBot(url);
  const events: NodeEvent[] = [];
  let clientReports = 0;
  // A client of a bot that is not there: what it hears is the attacker's.
  await using node = new Node({
    transport: mqtt(url),
    onEvent: (event) => {
      events.push(event);
      clientReports += reports([event]).length;
    },
  });
  await node.start({ timeoutMs: 10_000 });
  await using client = await HbotClient.open(node, { id: 'c' });
  let delivered = 0;
  const deliver = () => {
    delivered++;
  };
  await client.heartbeats(deliver);
  await client.events(deliver);
  await client.notifications(deliver);
  await client.logs(deliver);
  await client.statusUpdates(deliver);
  await client.performance(deliver);

  const sent = { bot: 0, client: 0 };
  const fates = () => ({ bot: bot.ran.length + bot.reportCount(), client: delivered + clientReports });
  const all = async (what: string) => {
    await until(() => fates().bot >= sent.bot && fates().client >= sent.client, { what, everyMs: 0 });
    const { bot: ofBot, client: ofClient } = fates();
    if (ofBot > sent.bot || ofClient > sent.client) throw new Error(`twice: ${what}`);
  };
  const begun = performance.now();
  await fc.assert(
    fc.asyncProperty(attacks, async ({ topic, payload }) => {
      const forBot = topic.startsWith('external/') || allCommands.some((command) => command === topic);
      sent[forBot ? 'bot' : 'client']++;
      await attacker.send(`hbot/${forBot ? 'b' : 'c'}/${topic}`, payload);
      await all(`the fate of ${JSON.stringify(Buffer.from(payload).toString())} on ${topic}`);
    }),
    { numRuns },
  );
  const durationMs = performance.now() - begun;

  sent.bot++;
  await attacker.send('hbot/b/external/event/last', bytes('{}'), { qos: 1 });
  sent.client++;
  await attacker.send('hbot/c/notify', bytes('{"msg":"last"}'), { qos: 1 });
  await all('the last messages');
  for (const event of [...bot.events, ...events]) {
    if (event.type === 'handler-error') throw event.error;
    if (event.type === 'status' && event.status.state === 'reconnecting') throw event.status.error;
  }
  return {
    sent: sent.bot + sent.client,
    handled: bot.ran.length + delivered,
    reported: bot.reportCount() + clientReports,
    answered: attacker.seen.filter(({ topic }) => topic.startsWith('hbot/evil/fuzz/')).length,
    durationMs,
  };
}
