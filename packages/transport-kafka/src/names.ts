/** Names as users write them and Kafka's own: `.` and `/` both become `.`; everything else Kafka cannot carry is refused. */
import { checkAddress, checkFilter, InvalidNameError, type NameMapping } from '@commlib/core';

/** Kafka's own limit (`Topic.MAX_NAME_LENGTH`): partition directories must fit into a file name. */
const MAX_LENGTH = 249;

const LEGAL = /^[a-zA-Z0-9._-]+$/;

export const kafkaNames: NameMapping = {
  address(name) {
    checkAddress(name);
    const topic = name.text.replaceAll('/', '.');
    checkTopic(topic, name.text);
    return topic;
  },
  filter(name) {
    checkFilter(name);
    if (name.kind === 'commlib' && name.text.includes('*')) {
      throw new InvalidNameError(name.text, 'commlib-py has no wildcards on Kafka; use + and #');
    }
    const filter = name.text.replaceAll('/', '.');
    checkFilterText(filter, name.text);
    return filter;
  },
  levels: (address) => address.split('.'),
  checkReply(replyTo) {
    replyTopic(replyTo);
  },
};

/** Throws unless Kafka takes the text as the name of a topic. */
export function checkTopic(topic: string, name = topic): void {
  if (valid.has(topic)) return;
  if (typeof topic !== 'string') throw new InvalidNameError(String(topic), 'not a string');
  if (topic === '' || topic === '.' || topic === '..') {
    throw new InvalidNameError(name, 'Kafka has no topic of that name');
  }
  if (topic.length > MAX_LENGTH) throw new InvalidNameError(name, `longer than ${MAX_LENGTH} characters`);
  if (!LEGAL.test(topic)) throw new InvalidNameError(name, 'Kafka allows only letters, digits, . _ and -');
  if (valid.size >= 1000) valid.clear();
  valid.add(topic);
}

/** Topics found valid: a program sends to few topics many times. */
const valid = new Set<string>();

/** Throws unless the text is a topic or a pattern over topics. */
export function checkFilterText(filter: string, name = filter): void {
  checkFilter({ text: filter, kind: 'plain' });
  const plain = filter.replaceAll(/(?<=^|\.)[+#](?=\.|$)/g, 'x');
  checkTopic(plain, name);
}

/** True when the filter has a wildcard. */
export function isWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

/** Kafka's own topics, and those of its tools (`__consumer_offsets`, `_schemas`): no wildcard means them. */
export function isInternal(topic: string): boolean {
  return topic.startsWith('__');
}

/**
 * Where an answer goes: what commlib-py 0.13.2 sends is taken as it is. Hostile values throw: a request could otherwise have
 * its answer written to a topic of the broker's own.
 */
export function replyTopic(replyTo: string): string {
  if (typeof replyTo !== 'string') throw new InvalidNameError(String(replyTo), 'not a string');
  const topic = replyTo.replaceAll('/', '.');
  checkTopic(topic, replyTo);
  if (isInternal(topic))
    throw new InvalidNameError(replyTo, 'an answer never goes to the broker’s own topics');
  return topic;
}

/** Throws unless the text can name a consumer group. */
export function checkGroup(group: string): void {
  if (typeof group !== 'string' || group === '')
    throw new InvalidNameError(String(group), 'a group has a name');
  if (group.length > MAX_LENGTH) throw new InvalidNameError(group, `longer than ${MAX_LENGTH} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(group)) throw new InvalidNameError(group, 'contains a control character');
}
