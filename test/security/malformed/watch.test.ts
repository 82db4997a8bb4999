/** `hbotctl watch` under attack: each bad payload is one line, nothing ends it, and what is good is shown. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeOn, startMosquitto, until } from '../../brokers/index.js';
import { start } from '../../cli/tool.js';
import { Attacker } from './attacker.js';
import { bytes, noObject, slowTexts, unreadable } from './samples.js';

const shown = z.looseObject({ stream: z.string(), event: z.string().optional() });
const streams = ['hb', 'events', 'notify', 'log', 'status_updates', 'performance'];

/** Well-formed, and yet not what anybody expects to print. */
const strange: readonly (readonly [string, string])[] = [
  ['hb', '{"ts":1e300}'],
  ['hb', '{"ts":-8640000000000000000}'],
  ['hb', '{"ts":123456789012345678901234567890}'],
  [
    'log',
    '{"timestamp":1e300,"msg":"\\u001b[2J\\u0007","level_no":1e99,"level_name":"\\u001b[0m","logger_name":"x"}',
  ],
  ['log', '{"timestamp":"-1","msg":"a\\nb\\r\\nc","level_no":"-5","level_name":"","logger_name":""}'],
  ['notify', '{"msg":"\\u202e\\u0000\\u009b31m"}'],
  ['status_updates', '{"timestamp":1e300,"type":"availability","msg":"\\u001b]0;title\\u0007"}'],
  ['status_updates', '{"timestamp":"-1","type":"\\u001b","msg":"offline"}'],
  ['events', '{"timestamp":1e300,"type":"OrderFilled","data":{}}'],
  ['events', '{"timestamp":1,"type":"\\u001b[31m","data":{"a":NaN,"b":12345678901234567890}}'],
  ['events', '{"type":{},"data":null}'],
  [
    'performance',
    '{"\\u001b[1m":{"performance":{"realized_pnl_quote":Infinity},"custom_info":{"n":12345678901234567890}}}',
  ],
  ['performance', '{"a":5,"constructor":{"performance":[]},"toString":null}'],
];

/** What takes a careless program minutes to put on one line. */
const slow = slowTexts.flatMap((text): [string, string][] => [
  ['log', log(text)],
  ['notify', `{"msg":"${text}"}`],
  ['events', `{"type":"X","data":{"text":"${text}"}}`],
]);

describeOn(
  'mosquitto',
  () => {
    test.each(['text', 'JSON'])(
      'as %s',
      async (form) => {
        await using broker = await startMosquitto({ own: true });
        await using attacker = await Attacker.at(broker.url);
        const json = form === 'JSON' ? ['--json'] : [];
        const view = start('hbotctl', ['watch', 'b', '-b', broker.url, ...json]);
        try {
          await view.shows(/watching b/);
          const bad = [...unreadable.map(({ payload }) => payload), ...noObject.map(bytes)];
          let dropped = 0;
          for (const stream of streams) {
            for (const payload of bad) {
              await attacker.send(`hbot/b/${stream}`, payload, { qos: 1 });
              if (stream !== 'events') dropped++;
            }
          }
          // On `events` JSON of any kind is shown as an unknown event.
          dropped += unreadable.length;
          const odd = noObject.length;
          for (const [stream, text] of [...strange, ...slow]) {
            await attacker.send(`hbot/b/${stream}`, bytes(text), { qos: 1 });
          }
          await attacker.send('hbot/b/log', bytes(log('the last one')), { qos: 1 });
          await view.shows(/the last one/, 30_000);
          const lines = () => view.lines().filter((line) => /dropped/.test(line));
          await until(() => lines().length >= dropped, { what: `${dropped} lines of dropped messages` });
          expect(lines()).toHaveLength(dropped);
          // Nothing of it was obeyed by a terminal.
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          expect(view.stdout()).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
          if (form === 'JSON') {
            const records = view.lines().map((line) => shown.parse(JSON.parse(line)));
            const messages = records.filter(({ stream }) => streams.includes(stream));
            expect(messages).toHaveLength(odd + strange.length + slow.length + 1);
          }
          expect(view.stderr()).toMatch(/^[^\n]*watching b[^\n]*\n$/);
          expect(await view.end()).toMatchObject({ code: 0 });
        } finally {
          await view.end('SIGKILL');
        }
      },
      60_000,
    );
  },
  { own: true },
);

function log(msg: string): string {
  return JSON.stringify({ timestamp: 1, msg, level_no: 20, level_name: 'INFO', logger_name: 'x' });
}
