import { Command } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { PayloadCommands } from './payload-command.js';

/** The bytes that ioredis itself would send. */
function written(name: string, args: readonly (string | number)[], payload: Uint8Array): string {
  return Buffer.from(new Command(name, [...args, Buffer.from(payload)]).toWritable({})).toString('latin1');
}

function made(
  commands: PayloadCommands,
  name: string,
  args: readonly (string | number)[],
  payload: Uint8Array,
): string {
  return Buffer.from(commands.make(name, args, payload).toWritable({})).toString('latin1');
}

describe('a command with a payload', () => {
  test.each<[string, readonly (string | number)[], Uint8Array]>([
    ['plain', ['bots', '*', 'payload'], Buffer.from('{"a":1}')],
    ['with numbers', ['bots', 'MAXLEN', '~', 10_000, '*', 'payload'], Buffer.from('x')],
    ['with letters of several bytes', ['bots/büro/日本', '*', 'h:ключ', 'é', 'payload'], Buffer.from('ü')],
    ['empty', ['bots', '*', 'payload'], new Uint8Array()],
    ['of any bytes', ['bots', '*', 'payload'], Uint8Array.of(0, 13, 10, 255)],
    ['with line ends among the arguments', ['a\r\n$1\r\nb', '', 'payload'], Buffer.from('x')],
  ])('%s, is what ioredis would send', (_, args, payload) => {
    expect(made(new PayloadCommands(), 'xadd', args, payload)).toBe(written('xadd', args, payload));
  });

  test('has its own arguments, whatever was sent before', () => {
    const commands = new PayloadCommands();
    const all: [string, (string | number)[]][] = [['other', ['bots/0', '*', 'payload']]];
    for (let i = 0; i < 20; i++) all.push(['xadd', [`bots/${i}`, '*', 'payload']]);
    all.push(['xadd', ['bots/0', '*']], ['xadd', ['bots/0', '*', 'h:a', '1', 'payload']]);
    all.push(['xadd', ['bots/0', '*', 'h:a', '2', 'payload']]);
    for (const again of [1, 2, 3])
      for (const [name, args] of all)
        for (const payload of [Buffer.from(`${again}`), Buffer.from('twice')])
          expect(made(commands, name, args, payload)).toBe(written(name, args, payload));
  });
});
