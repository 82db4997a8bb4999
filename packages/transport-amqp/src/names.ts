/** Names as users write them and AMQP's own: kept as they are, or as RabbitMQ spells MQTT topics. */
import {
  checkAddress,
  checkFilter,
  InvalidNameError,
  isPattern,
  levelsOf,
  type Name,
  type NameMapping,
} from '@commlib/core';
import type { AmqpNames } from './options.js';

/** Routing keys, queue and exchange names are short strings (AMQP 0-9-1 §4.2.5.3). */
const MAX_BYTES = 255;

/** The names of commlib-py's AMQP transport: whatever was written is the routing key. */
const amqpNames: NameMapping = {
  address(name) {
    checkAddress(name);
    return checkKey(name.text);
  },
  filter(name) {
    checkFilter(name);
    if (name.kind === 'commlib') return checkKey(name.text.replaceAll('*', '#'));
    if (name.text.includes('/') && isPattern(name)) {
      throw new InvalidNameError(
        name.text,
        "AMQP matches wildcards between dots only; over names with / they need the option names: 'mqtt'",
      );
    }
    return checkKey(pattern(name.text.split('.'), name));
  },
  levels: (address, kind) => (kind === 'literal' ? address.split('/') : address.split(/[./]/)),
  checkReply: checkReplyQueue,
};

/** What RabbitMQ's MQTT plugin makes of a topic: `/` becomes `.`, and dots are kept. */
const mqttNames: NameMapping = {
  address(name) {
    checkAddress(name);
    return checkKey(name.text.replaceAll('/', '.'));
  },
  filter(name) {
    checkFilter(name);
    if (name.kind === 'commlib') {
      // As on commlib-py's MQTT transport: only a trailing * spans levels.
      return checkKey(name.text.replace(/\*$/, '#').replaceAll('/', '.'));
    }
    return checkKey(pattern(levelsOf(name), name));
  },
  levels: (address) => address.split('.'),
  checkReply(replyTo) {
    replyKey(replyTo);
  },
};

export function namesFor(mode: AmqpNames): NameMapping {
  return mode === 'mqtt' ? mqttNames : amqpNames;
}

function pattern(levels: readonly string[], name: Name): string {
  return levels
    .map((level) => {
      if (level === '*')
        throw new InvalidNameError(
          name.text,
          'a level * cannot be subscribed to: AMQP takes it for a wildcard',
        );
      return level === '+' ? '*' : level;
    })
    .join('.');
}

/** Throws for what AMQP cannot carry as a routing key or as the name of a queue. */
export function checkKey(text: string): string {
  checkAddressText(text);
  // One UTF-16 unit is at most three bytes of UTF-8.
  if (text.length * 3 > MAX_BYTES && Buffer.byteLength(text) > MAX_BYTES)
    throw new InvalidNameError(text, `longer than ${MAX_BYTES} bytes, the longest AMQP can carry`);
  return text;
}

/** `+` and `#` are data on AMQP; what matters is checked where users' names come in. */
function checkAddressText(text: string): void {
  if (text === '') throw new InvalidNameError(text, 'empty');
  if (text.includes('\0')) throw new InvalidNameError(text, 'contains NUL');
}

/** The pseudo-queue of direct reply-to: what it is called by those who wait, and what the broker makes of it. */
export const DIRECT_REPLY = 'amq.rabbitmq.reply-to';

function checkReplyQueue(replyTo: string): void {
  checkKey(replyTo);
  if (replyTo === DIRECT_REPLY)
    throw new InvalidNameError(
      replyTo,
      'the request came without the reply address that the broker makes of this',
    );
}

/** Where an MQTT endpoint waits for its answer: the routing key of that topic. Hostile values throw. */
export function replyKey(replyTo: string): string {
  checkAddress({ text: replyTo, kind: 'literal' });
  const key = replyTo.replaceAll('/', '.');
  if (key.startsWith('$') || key.includes('*')) throw new InvalidNameError(replyTo, 'no answer goes there');
  return checkKey(key);
}

/** A text as a part of a queue's name that is told from other parts by `:`. */
export function part(text: string): string {
  return text.replaceAll('%', '%25').replaceAll(':', '%3A');
}
