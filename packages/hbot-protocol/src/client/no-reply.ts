/** Why a bot may not have answered, judged by what was seen of it. */
import type { CommandName } from '../schemas/commands/index.js';
import type { BotPresence } from './presence.js';

/** What is known when the wait ended. */
export interface Silence {
  readonly command: CommandName;
  readonly presence: BotPresence;
  /** The command was not sent, since it is not known where the bot lives. */
  readonly spellingUnknown: boolean;
  /** The broker said that nobody takes this command: it was not executed. */
  readonly nobody: boolean;
  /** The bot's work may have taken as long as the caller waited. */
  readonly shorterThanTheBots: boolean;
}

/** The reasons that fit, most likely first. */
export function possibleReasons({
  command,
  presence,
  spellingUnknown,
  nobody,
  shorterThanTheBots,
}: Silence): string[] {
  if (spellingUnknown) {
    return [
      'the id or namespace has a dot, and no heartbeat told whether the bot writes it as a dot (2.15 and later) or as a slash: nothing was sent; give the dialect',
      'no bot of this id is running',
    ];
  }
  const reasons: string[] = [];
  if (command === 'command_shortcuts') reasons.push('bots of 2.7.0 and later have no command_shortcuts');
  if (presence.heartbeat === undefined) {
    reasons.push(
      'no bot of this id and namespace is connected to this broker',
      'the bot has only just started, or its bridge is reconnecting',
      'the broker does not let this client read the bot, or reach its command topics',
    );
  } else if (presence.state === 'online') {
    if (nobody) return [...reasons, "the bot's mqtt_commands setting is off", 'the bot is just reconnecting'];
    if (shorterThanTheBots) reasons.push('the bot is still at work: its own limit is 30 s');
    reasons.push(
      "the bot's mqtt_commands setting is off",
      'the broker does not allow the command topic, or the reply topic under the inbox prefix',
      'the bot could not read the request: real bots do not answer data they refuse',
      'a headless Hummingbot 2.13 that was sent SIGINT goes on sending heartbeats and never answers again; restart it',
    );
  } else {
    reasons.push(
      `the bot is ${presence.state}: it has stopped, or lost its connection`,
      'a Hummingbot 2.13 that lost its broker freezes again and again; restart its process',
    );
  }
  return reasons;
}
