/** The main job: a simulated bot, and a controller that finds it, sends it every command and streams what it publishes. */
import { CommlibError, type Node } from '@commlib/core';
import {
  commandContract,
  discover,
  HbotClient,
  HbotCommandError,
  SimulatedBot,
  spellings,
} from '@commlib/hbot-protocol';
import type { Entry } from '../hbotctl/show/journal.js';
import { follow, presenceWords, streamNames } from '../hbotctl/show/streams.js';
import { messageOf, UsageError } from '../terminal/exit-codes.js';
import { clip, toJson } from '../terminal/text.js';
import { ending, inspection, preparation, resumption, type Step } from './commands.js';
import { Tally } from './tally.js';

/** What the job needs. */
export interface JobOptions {
  readonly id: string;
  readonly namespace: string;
  /** Two connections, one for each side. */
  readonly botNode: Node;
  readonly controllerNode: Node;
  /** Others may be there: look whether one of them has the bot's id. */
  readonly shared: boolean;
  readonly inboxPrefix: string | undefined;
  readonly once: boolean;
  readonly signal: AbortSignal;
  readonly write: (entry: Entry) => void;
}

/** Real bots: 10 s. Here there is somebody watching. */
const HEARTBEAT_MS = 1_000;
const DISCOVERY_MS = 12_000;
const STREAMS_MS = 15_000;
const COMMAND_MS = 10_000;
/** A real bot answers `status` within 0.3 s, on a machine that is not busy. */
const TAKEN_MS = 3_000;
const LONGEST_LINE = 200;

/**
 * Runs it. With `once` it resolves when everything was tried, else when the signal fires.
 *
 * @throws UsageError when another bot has this id; what connecting and subscribing throw.
 */
export async function runJob(options: JobOptions): Promise<Tally> {
  const { id, namespace, botNode, controllerNode, signal, write } = options;
  if (options.shared) await refuseTaken(options);
  const say = (source: string, text: string) => write({ source, text, tone: 'plain', record: { text } });

  // The search begins before the bot boots, so that its first word is heard.
  const found = discover(controllerNode, { namespace, timeoutMs: DISCOVERY_MS, signal });
  const search = firstOf(found, id);
  const bot = await SimulatedBot.start({ node: botNode, id, namespace, heartbeatMs: HEARTBEAT_MS });
  try {
    say('bot', `${id} has booted (simulated; a heartbeat every ${HEARTBEAT_MS / 1000} s instead of 10 s)`);
    if (!(await search)) {
      signal.throwIfAborted();
      throw new CommlibError('NOT_FOUND', `${id} was not heard within ${DISCOVERY_MS / 1000} s`);
    }
    say('controller', `discovered ${id} under ${namespace}/`);
    return await control(options);
  } finally {
    await bot.close();
  }
}

async function control({
  id,
  namespace,
  controllerNode,
  inboxPrefix,
  once,
  signal,
  write,
}: JobOptions): Promise<Tally> {
  const tally = new Tally();
  const client = await HbotClient.open(controllerNode, { id, namespace, inboxPrefix, timeoutMs: COMMAND_MS });
  try {
    client.onPresence((presence) => {
      const words = presenceWords(id, presence);
      if (words) write({ source: 'presence', ...words, record: { bot: id, state: presence.state } });
    });
    await follow(client, streamNames, (stream, data, words) => {
      tally.received(stream);
      write({ source: stream, ...words, text: clip(words.text, LONGEST_LINE), record: { bot: id, data } });
    });
    const send = (steps: readonly Step[]) => sendAll(client, steps, tally, signal, write);
    await send(preparation);
    await tally.heardAll(STREAMS_MS, signal);
    await send(inspection);
    await send(ending);
    if (once) return tally;
    await send(resumption);
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    return tally;
  } finally {
    await client.close();
  }
}

async function sendAll(
  client: HbotClient,
  steps: readonly Step[],
  tally: Tally,
  signal: AbortSignal,
  write: (entry: Entry) => void,
): Promise<void> {
  for (const { name, what, send } of steps) {
    if (signal.aborted) return;
    let good = true;
    let reply: unknown;
    try {
      reply = await send(client);
    } catch (error) {
      good = false;
      reply = error instanceof HbotCommandError ? error.reply : messageOf(error);
    }
    tally.results.push({ command: name, what, good, reply });
    write({
      source: 'command',
      text: clip(`${name}${what ? ` (${what})` : ''} → ${toJson(reply)}`, LONGEST_LINE),
      tone: good ? 'good' : 'bad',
      record: { command: name, what, good, reply },
    });
  }
}

async function firstOf(bots: AsyncIterable<{ readonly id: string }>, id: string): Promise<boolean> {
  for await (const bot of bots) if (bot.id === id) return true;
  return false;
}

/** The commands would reach the other bot too, and it may be a real one with real orders. */
async function refuseTaken({ id, namespace, controllerNode, inboxPrefix }: JobOptions): Promise<void> {
  for (const spelling of spellings({ id, namespace })) {
    const probe = controllerNode.client(commandContract(spelling, 'status'), {
      inboxPrefix: inboxPrefix ?? namespace,
    });
    try {
      await probe.call({ async_backend: false }, { timeoutMs: TAKEN_MS });
    } catch (error) {
      if (CommlibError.is(error, 'NO_RECEIVER') || CommlibError.is(error, 'TIMEOUT')) continue;
      throw error;
    }
    throw new UsageError(
      `there is a bot ${id} at this broker already, and it would get these commands too; choose another id with --bot`,
    );
  }
}
