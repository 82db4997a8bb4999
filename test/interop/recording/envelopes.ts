import { body, bytes, type CommandPlan, command } from './plan.js';

const sync = { async_backend: false };

/** The envelope in every wrong form, around a command that does no harm. */
export function envelopes(name: string): CommandPlan[] {
  const made = (step: string, make: (to: string) => unknown) => body(`${name} envelope: ${step}`, name, make);
  const raw = (step: string, make: (to: string) => string | Buffer) =>
    bytes(`${name} envelope: ${step}`, name, make);
  return [
    made('full header', (to) => ({
      header: {
        reply_to: to,
        timestamp: 1,
        content_type: 'json',
        encoding: 'utf8',
        agent: 'commlib',
        msg_id: 'm',
        node_id: 'n',
        properties: {},
      },
      data: sync,
    })),
    {
      ...made('reply_to with dots', (to) => ({ header: { reply_to: to }, data: sync })),
      replySuffix: '.with.dots',
    },
    made('reply_to missing', () => ({ header: {}, data: sync })),
    made('reply_to empty', () => ({ header: { reply_to: '' }, data: sync })),
    made('reply_to null', () => ({ header: { reply_to: null }, data: sync })),
    made('header missing', () => ({ data: sync })),
    made('header null', () => ({ header: null, data: sync })),
    made('header string', (to) => ({ header: to, data: sync })),
    made('timestamp string', (to) => ({ header: { reply_to: to, timestamp: 'now' }, data: sync })),
    made('data missing', (to) => ({ header: { reply_to: to } })),
    made('data null', (to) => ({ header: { reply_to: to }, data: null })),
    made('data array', (to) => ({ header: { reply_to: to }, data: [] })),
    made('data string', (to) => ({ header: { reply_to: to }, data: 'x' })),
    made('extra top-level keys', (to) => ({ header: { reply_to: to }, data: sync, nonsense: 1 })),
    made('empty object', () => ({})),
    made('bare data', () => sync),
    made('array', () => []),
    made('number', () => 5),
    made('null', () => null),
    raw('not JSON', () => 'not json'),
    raw('empty', () => ''),
    raw('broken JSON', (to) => `{"header":{"reply_to":"${to}"},"data":{"async_backend":false}`),
    raw(
      '__proto__',
      (to) => `{"header":{"reply_to":"${to}"},"data":{"async_backend":false,"__proto__":{"x":1}}}`,
    ),
    raw('invalid UTF-8', (to) =>
      Buffer.concat([
        Buffer.from(`{"header":{"reply_to":"${to}"},"data":{"async_backend":false,"x":"`),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}}'),
      ]),
    ),
  ];
}

/** Reply topics that cannot be published to. They break the connection of an aiomqtt bridge, so each is followed by a check. */
export function impossibleReplies(name: string): CommandPlan[] {
  const replies = { number: 5, wildcard: 'hbot/real/#' };
  return Object.entries(replies).flatMap(([kind, replyTo]) => [
    {
      ...body(`${name} envelope: reply_to ${kind}`, name, () => ({
        header: { reply_to: replyTo },
        data: sync,
      })),
      until: ['status_updates '],
    },
    command(`${name} after a reply_to ${kind}`, name, sync),
  ]);
}
