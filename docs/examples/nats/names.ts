/** Names and NATS subjects: levels are separated by dots, `+` is `*`, `#` is `>`. */
import { checkAddress, checkFilter, levelsOf, type NameMapping } from '@commlib/core';

/** What a level of a subject cannot have: separators, wildcards, white space; and the sign that escapes them. */
const UNWELCOME = /[.*>%\s\p{Control}]/gu;

export const natsNames: NameMapping = {
  address(name) {
    checkAddress(name);
    return levelsOf(name).map(encode).join('.');
  },
  filter(name) {
    checkFilter(name);
    // commlib-py has no NATS transport; on MQTT a trailing * spans levels there.
    const levels = levelsOf(name.kind === 'commlib' ? { ...name, kind: 'plain' } : name);
    const last = levels.length - 1;
    return levels
      .map((level, i) => {
        if (level === '#' || (name.kind === 'commlib' && level === '*' && i === last)) return '>';
        return level === '+' || (name.kind === 'commlib' && level === '*') ? '*' : encode(level);
      })
      .join('.');
  },
  levels: (address) => address.split('.').map(decode),
};

function encode(level: string): string {
  if (level === '') return '%'; // NATS has no empty levels.
  return level.replace(UNWELCOME, (one) =>
    [...new TextEncoder().encode(one)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

function decode(level: string): string {
  if (level === '%') return '';
  try {
    return decodeURIComponent(level);
  } catch {
    return level; // Written by somebody else.
  }
}
