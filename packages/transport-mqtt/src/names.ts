/** Names as users write them and MQTT's own: `.` and `/` both become `/`. */
import { checkAddress, checkFilter, InvalidNameError, type Name, type NameMapping } from '@commlib/core';

/** MQTT strings have a length of 16 bits (MQTT 5 §1.5.4, 3.1.1 §1.5.3). */
const MAX_BYTES = 65_535;

/**
 * Levels of a reply topic. Nobody needs so many, and over more of them a broker ends the connection that publishes:
 * EMQX beyond 128, Mosquitto beyond 201.
 */
const MAX_REPLY_LEVELS = 100;

/**
 * Control characters and non-characters, which a broker may end the connection over (MQTT 5 §1.5.4, 3.1.1 §1.5.3) and
 * Mosquitto does.
 */
const UNWELCOME = /\p{Control}|\p{Noncharacter_Code_Point}/u;

export const mqttNames: NameMapping = {
  address(name) {
    checkAddress(name);
    const topic = name.kind === 'plain' ? name.text.replaceAll('.', '/') : name.text;
    checkTopic(topic);
    return topic;
  },
  filter(name) {
    checkFilter(name);
    const filter = translate(name);
    checkFilterText(filter, name.text);
    return filter;
  },
  levels: (address) => address.split('/'),
  checkReply(replyTo) {
    replyTopic(replyTo);
  },
};

function translate(name: Name): string {
  if (name.kind === 'literal') return name.text;
  if (name.kind === 'plain') return name.text.replaceAll('.', '/');
  // commlib-py from 0.12 on (`MQTTTransport._transform_topic`): only a trailing * spans levels.
  return name.text.replace(/\*$/, '#').replaceAll('.', '/').replaceAll('/*', '/+').replaceAll('*', '#');
}

/**
 * Throws unless a message can be sent to the topic. A broker ends the connection over a wildcard in it, and a client that
 * sends the message again after each reconnect would never come to rest.
 */
export function checkTopic(topic: string): void {
  if (valid.has(topic)) return;
  checkAddress({ text: topic, kind: 'literal' });
  checkCharacters(topic, topic);
  if (topic.startsWith('$share/'))
    throw new InvalidNameError(topic, '$share is for groups and cannot be sent to');
  if (topic.length > 500) return;
  if (valid.size >= 1000) valid.clear();
  valid.add(topic);
}

/** Topics found valid: a program sends to few topics many times. */
const valid = new Set<string>();

/** Throws unless the text is a filter the broker takes and that is not one of a group. */
export function checkFilterText(filter: string, name = filter): void {
  checkFilter({ text: filter, kind: 'literal' });
  checkCharacters(filter, name);
  if (filter === '$share' || filter.startsWith('$share/')) {
    throw new InvalidNameError(name, 'for a shared subscription use the option `group`');
  }
}

/** Throws unless the text can name a group: one level, no wildcard (MQTT 5 §4.8.2). */
export function checkGroup(group: string): void {
  checkAddress({ text: group, kind: 'literal' });
  if (group.includes('/')) throw new InvalidNameError(group, 'a group is one level, without /');
}

/** Where an answer goes, as commlib-py does it: dots become slashes. Hostile values throw and never reach the broker. */
export function replyTopic(replyTo: string): string {
  if (typeof replyTo !== 'string') throw new InvalidNameError(String(replyTo), 'not a string');
  const topic = replyTo.includes('.') ? replyTo.replaceAll('.', '/') : replyTo;
  checkReply(topic);
  return topic;
}

/** Reply topics are used once: they would only push useful ones out of the cache of {@link checkTopic}. */
function checkReply(topic: string): void {
  checkAddress({ text: topic, kind: 'literal' });
  checkCharacters(topic, topic);
  if (topic.startsWith('$'))
    throw new InvalidNameError(topic, 'an answer never goes to the broker’s own topics ($…)');
  if (topic.length > MAX_REPLY_LEVELS && topic.split('/', MAX_REPLY_LEVELS + 1).length > MAX_REPLY_LEVELS)
    throw new InvalidNameError(topic, `more than ${MAX_REPLY_LEVELS} levels`);
}

function checkCharacters(text: string, name: string): void {
  if (UNWELCOME.test(text))
    throw new InvalidNameError(name, 'contains a control character or a non-character');
  // One UTF-16 unit is at most three bytes of UTF-8.
  if (text.length * 3 > MAX_BYTES && new TextEncoder().encode(text).length > MAX_BYTES) {
    throw new InvalidNameError(
      `${name.slice(0, 40)}…`,
      `longer than ${MAX_BYTES} bytes, the longest MQTT can carry`,
    );
  }
}
