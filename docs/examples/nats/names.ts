/** Names and NATS subjects: levels are separated by dots, `+` is `*`, `#` is `>`. */
import {
  checkAddress,
  checkFilter,
  InvalidNameError,
  levelsOf,
  type Name,
  type NameMapping,
} from '@commlib/core';

export const natsNames: NameMapping = {
  address(name) {
    checkAddress(name);
    return subject(name, levelsOf(name));
  },
  filter(name) {
    checkFilter(name);
    if (name.kind === 'commlib') {
      // commlib-py has no NATS transport; a trailing * spans levels there, as on MQTT.
      return subject(name, name.text.replace(/\*$/, '>').split(/[./]/), /[>*]/);
    }
    const levels = levelsOf(name).map((level) => (level === '+' ? '*' : level === '#' ? '>' : level));
    return subject(name, levels, /[>*]/);
  },
  levels: (address) => address.split('.'),
  checkReply(replyTo) {
    subject({ text: replyTo, kind: 'plain' }, replyTo.split('.'));
  },
};

/** What the server would misread is refused: white space, wildcards inside a level, empty levels, dots as data. */
function subject(name: Name, levels: readonly string[], wildcard?: RegExp): string {
  for (const level of levels) {
    if (level === '') throw new InvalidNameError(name.text, 'NATS has no empty levels');
    if (level.includes('.')) throw new InvalidNameError(name.text, 'in NATS a dot always separates levels');
    if (/\s|\p{Control}/u.test(level))
      throw new InvalidNameError(name.text, 'NATS has no white space in names');
    if (/[*>]/.test(level) && !(wildcard?.test(level) && level.length === 1)) {
      throw new InvalidNameError(name.text, '* and > are wildcards of NATS');
    }
  }
  return levels.join('.');
}
