/** What a bot publishes, in words. */
import {
  type BotPresence,
  type ControllerPerformance,
  type HbotClient,
  type HbotEvent,
  heartbeatTime,
  type LogRecord,
  type StreamName,
  streams,
} from '@commlib/hbot-protocol';
import { toJson } from '../../terminal/text.js';

/** The streams by the ends of their topics. */
export const streamNames = [
  'hb',
  'events',
  'notify',
  'log',
  'status_updates',
  'performance',
] as const satisfies readonly StreamName[];

/** Colours a line by what it says. */
export type Tone = 'good' | 'bad' | 'note' | 'plain';

/** A message in words. */
export interface Words {
  readonly text: string;
  readonly tone: Tone;
}

/** Called for each message. */
export type ShowMessage = (stream: StreamName, data: unknown, words: Words) => void;

const plain = (text: string): Words => ({ text, tone: 'plain' });

/** For each stream: how it is subscribed to and put in words. */
const views: Readonly<
  Record<StreamName, (bot: HbotClient, show: (data: unknown, words: Words) => void) => Promise<unknown>>
> = {
  hb: (bot, show) =>
    bot.heartbeats((beat) => {
      const sent = heartbeatTime(beat);
      // A bot may write any number.
      const when = Number.isNaN(sent.getTime()) ? `at an impossible time (${beat.ts})` : sent.toISOString();
      show(beat, { text: `alive, sent ${when}`, tone: 'note' });
    }),
  events: (bot, show) => bot.events((event) => show(event, eventWords(event))),
  notify: (bot, show) => bot.notifications((notification) => show(notification, plain(notification.msg))),
  log: (bot, show) => bot.logs((record) => show(record, logWords(record))),
  status_updates: (bot, show) =>
    bot.statusUpdates((update) =>
      show(update, {
        text: `${update.type}: ${update.msg}`,
        tone: update.msg === 'offline' ? 'bad' : 'good',
      }),
    ),
  performance: (bot, show) =>
    bot.performance((reports) =>
      show(
        reports,
        plain(
          Object.entries(reports)
            .map(([controller, report]) => performanceText(controller, report))
            .join('; '),
        ),
      ),
    ),
};

/** Subscribes to the streams; each message is shown in words and with its data. */
export async function follow(
  bot: HbotClient,
  names: readonly StreamName[],
  show: ShowMessage,
): Promise<void> {
  await Promise.all(names.map((name) => views[name](bot, (data, words) => show(name, data, words))));
}

/** True for the names of streams. */
export function isStreamName(name: string): name is StreamName {
  return Object.hasOwn(streams, name);
}

/** Fields of events that are left out of the text; `--json` has all. */
const DETAILS = new Set([
  'creation_timestamp',
  'exchange_order_id',
  'exchange_trade_id',
  'leverage',
  'position',
  'trade_fee',
]);
/** As Python writes the members of its enums. */
const ENUM = /^(?:TradeType|OrderType|PositionAction)\./;

/** An event on one line: its type, then its fields as far as they say something. */
export function eventWords(event: HbotEvent): Words {
  if (event.type === 'Unknown')
    return { text: `${event.wireType || 'event of no type'} ${toJson(event.data)}`, tone: 'note' };
  const fields = Object.entries(event.data)
    .filter(([key, value]) => value !== null && value !== '' && !DETAILS.has(key))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value.replace(ENUM, '') : toJson(value)}`);
  const tone: Tone = event.type === 'OrderFilled' ? 'good' : event.type === 'OrderFailure' ? 'bad' : 'plain';
  return { text: `${event.type} ${fields.join(' ')}`, tone };
}

/** A log record on one line. Python's levels: 30 is a warning, 40 an error. */
export function logWords({ level_no, level_name, logger_name, msg }: LogRecord): Words {
  return {
    text: `${level_name} ${logger_name}: ${msg}`,
    tone: level_no >= 40 ? 'bad' : level_no >= 30 ? 'note' : 'plain',
  };
}

function performanceText(
  controller: string,
  { performance, stopped, unknown }: ControllerPerformance,
): string {
  if (stopped) return `${controller}: stopped`;
  if (performance === null)
    return `${controller}: ${unknown === undefined ? 'no figures yet' : toJson(unknown)}`;
  return `${controller}: pnl ${performance.global_pnl_quote} (${performance.global_pnl_pct} %), volume ${performance.volume_traded}`;
}

/** A change of a bot's presence; undefined for those that only mirror our own connection. */
export function presenceWords(id: string, { state, advice }: BotPresence): Words | undefined {
  const more = advice ? `; ${advice}` : '';
  switch (state) {
    case 'online':
      return { text: `${id} is online${more}`, tone: 'good' };
    case 'offline':
      return { text: `${id} says that it goes offline${more}`, tone: 'bad' };
    case 'lost':
      return { text: `${id} is lost: no heartbeat for 30 s${more}`, tone: 'bad' };
    case 'unknown':
      return undefined;
  }
}
