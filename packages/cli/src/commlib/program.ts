/** The command line of `commlib` (also installed as `commlib-cli`, the Python tool's name). */
import { Command, InvalidArgumentError, Option } from 'commander';
import { addConnectionOptions, addHostOptions, count } from '../connection/flags.js';
import { type TransportRegistry, transports } from '../connection/transports.js';
import type { Io } from '../terminal/io.js';
import { type Cli, prepare } from '../terminal/run.js';
import { version } from '../version.js';
import { type CallOptions, call, planCall } from './call.js';
import { connected } from './context.js';
import { type PublishOptions, planPublish, publish } from './publish.js';
import { planServe, type ServeOptions, serve } from './serve.js';
import { planSubscribe, type SubscribeOptions, subscribe } from './subscribe.js';

/** Builds the program; `registry` is replaced by tests. */
export function commlibProgram(io: Io, registry: TransportRegistry = transports): Cli {
  const program = new Command('commlib')
    .description(
      'Publish, subscribe and call over a message broker. URI is a topic or procedure; . and / separate its levels.',
    )
    .version(version, '-V, --version')
    .helpOption('--help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', examples);
  addHostOptions(program);
  addConnectionOptions(program, { timeoutDefault: '30' }).option(
    '-q, --quiet',
    'no remarks about the connection on stderr, errors only',
  );

  endpoint(program, 'pub', 'publish DATA on a topic, again and again unless --rate 0')
    .argument('<uri>', 'topic')
    .argument('<data>', 'JSON')
    .option('--rate <hz>', 'messages per second; 0 publishes once and ends', rate, 1)
    .option('--count <n>', 'end after so many messages', count)
    .option('--retain', 'the broker keeps the message for later subscribers')
    .addOption(qosOption('1: the broker confirms each message', 1))
    .option('--at-least-once', 'for durable groups: ends when the broker has taken responsibility')
    .addHelpText('after', example(`pub --rate 0 sensors/kitchen/temperature '{"celsius": 21.5}'`))
    .action((uri: string, data: string, options: PublishOptions, command: Command) => {
      const plan = planPublish(uri, data, options);
      return connected(command, io, registry, (context) => publish(context, plan, options));
    });

  showing(endpoint(program, 'sub', 'show what is published on a topic or pattern (+ and #, or commlib’s *)'))
    .argument('<uri>', 'topic or pattern')
    .option('--count <n>', 'end after so many messages', count)
    .addOption(qosOption('of the subscription', 0))
    .option('--group <name>', 'share the messages with the other members of this group')
    .option(
      '--at-least-once',
      'the group is durable: the broker keeps what it misses (what pub --at-least-once sends)',
    )
    .addHelpText('after', example(`sub 'hbot/testbot/log'`, `sub 'hbot/+/hb' | jq .data.ts`))
    .action((uri: string, options: SubscribeOptions, command: Command) => {
      const plan = planSubscribe(uri, options);
      return connected(command, io, registry, (context) => subscribe(context, plan, options));
    });

  endpoint(program, 'rpcc', 'call a procedure with DATA and print its answer as JSON')
    .argument('<uri>', 'procedure')
    .argument('<data>', 'JSON')
    .option('--pretty', 'print the answer on several lines')
    .addHelpText('after', example(`rpcc 'hbot/testbot/config' '{"params": []}'`))
    .action((uri: string, data: string, options: CallOptions, command: Command) => {
      const plan = planCall(uri, data, options);
      return connected(command, io, registry, (context) => call(context, plan, options));
    });

  showing(endpoint(program, 'rpcs', 'serve a procedure: give back what was sent, and show it'))
    .argument('<uri>', 'procedure')
    .option('--reply <json>', 'answer this instead')
    .option('--count <n>', 'end after so many requests', count)
    .addHelpText('after', example(`rpcs math/echo`, `rpcs --reply '{"status": 200}' jobs/start`))
    .action((uri: string, options: ServeOptions, command: Command) => {
      const plan = planServe(uri, options);
      return connected(command, io, registry, (context) => serve(context, plan, options));
    });

  return { program: prepare(program, io) };
}

function endpoint(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .helpOption('--help', 'show this help')
    .option('--literal', 'dots in URI are data, only / separates levels');
}

function showing(command: Command): Command {
  return command
    .addOption(
      new Option('--json', 'JSON lines with topic, ts and data, also on a terminal').conflicts('plain'),
    )
    .option('--plain', 'topic and data, also in a pipe');
}

function qosOption(text: string, preset: 0 | 1): Option {
  return new Option('--qos <0|1|2>', `MQTT quality of service (${text})`)
    .default(preset)
    .argParser((value) => {
      if (!/^[012]$/.test(value)) throw new InvalidArgumentError('0, 1 or 2.');
      return Number(value);
    });
}

function rate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1e6))
    throw new InvalidArgumentError('Messages per second, 0 for once.');
  return value;
}

function example(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ commlib ${line}\n`).join('')}`;
}

const examples = `
Settings come from these options, then from the environment (COMMLIB_BROKER, COMMLIB_PASSWORD, …), then from a file.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 no answer, 5 refused, 6 not supported.

Examples:
  $ commlib --host localhost --port 1883 --btype mqtt sub 'hbot/testbot/log'
  $ commlib rpcc 'hbot/testbot/status' '{}'
  $ commlib -b mqtts://broker.example:8883 --ca ca.pem pub --rate 0 a/b '{"c": 1}'
  $ commlib -b amqp://localhost sub --group audit --at-least-once orders/new
`;
