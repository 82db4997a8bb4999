/** The options that both tools have, and the settings that come out of them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fromEnvironment } from '../settings/environment.js';
import { fromFile } from '../settings/file.js';
import { brokerTypes, type Given, type Source } from '../settings/given.js';
import { resolveSettings, type Settings } from '../settings/resolve.js';
import type { Io } from '../terminal/io.js';

/** What commander makes of the connection options. */
export interface ConnectionFlags extends Given {
  readonly config?: string | undefined;
}

/** Names of the flags, as {@link Given} has them. */
const flagNames = [
  'broker',
  'host',
  'port',
  'btype',
  'vhost',
  'db',
  'username',
  'password',
  'passwordFile',
  'tls',
  'ca',
  'cert',
  'key',
  'servername',
  'insecure',
  'timeout',
  'connectTimeout',
  'namespace',
  'inboxPrefix',
] as const satisfies readonly (keyof Given)[];

/** `-h/--host`, `-p/--port`, `-t/--btype`, `--vhost`, `--db`, as the Python tool has them. */
export function addHostOptions(program: Command): Command {
  return program
    .option('-h, --host <host>', 'host of the broker (default: localhost)')
    .option('-p, --port <port>', "port of the broker (default: the protocol's own)", port)
    .addOption(new Option('-t, --btype <type>', 'type of the broker (default: mqtt)').choices(brokerTypes))
    .option('--vhost <vhost>', 'virtual host (amqp)')
    .option('--db <number>', 'database (redis)', wholeNumber);
}

/** Broker URL, credentials, TLS, timeouts, configuration file. */
export function addConnectionOptions(
  program: Command,
  { timeoutDefault }: { timeoutDefault: string },
): Command {
  return program
    .option(
      '-b, --broker <url>',
      'the broker as one URL: mqtt://user:password@host:1883; also mqtts, ws, wss, amqp(s)://host/vhost, redis(s)://host/db, kafka(s)',
    )
    .option('--username <name>', 'user name at the broker')
    .option(
      '--password <password>',
      'password; other users of this machine can see it: better a file or the environment',
    )
    .option('--password-file <file>', 'file whose first line is the password')
    .option('--tls', 'connect with TLS')
    .option('--ca <file>', 'PEM file of the authorities to trust instead of the system’s; switches TLS on')
    .option('--cert <file>', 'PEM file of the client certificate')
    .option('--key <file>', 'PEM file of its key')
    .option('--servername <name>', 'name that the broker’s certificate must be for (default: the host)')
    .option('--insecure', 'do not check the broker’s certificate: for experiments only')
    .option('--timeout <seconds>', `how long to wait for an answer (default: ${timeoutDefault})`, seconds)
    .option('--connect-timeout <seconds>', 'how long to wait for the connection (default: 5)', seconds)
    .option(
      '--inbox-prefix <prefix>',
      'answers come back under this prefix, for brokers that allow only certain topics',
    )
    .option(
      '--config <file>',
      'configuration file (default: ./commlib.json, then ~/.config/commlib/config.json)',
    );
}

/**
 * Flags, then environment, then file.
 *
 * @param prefixes Of environment variables, in the order of their rank.
 * @throws UsageError
 */
export async function settingsOf(
  io: Io,
  flags: ConnectionFlags,
  prefixes: readonly string[],
): Promise<Settings> {
  const given: Record<string, unknown> = {};
  for (const name of flagNames) if (flags[name] !== undefined) given[name] = flags[name];
  const named = flags.config ?? prefixes.map((prefix) => io.env[`${prefix}_CONFIG`]).find(Boolean);
  const file = await fromFile(io, named);
  const sources: Source[] = [{ name: 'the command line', given }, fromEnvironment(io.env, prefixes)];
  return resolveSettings(file ? [...sources, file] : sources);
}

/** A port. */
export function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  return value;
}

/** A duration in seconds, above 0. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('Seconds, a number above 0.');
  return value;
}

/** 0, 1, 2, … */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A whole number.');
  return Number(text);
}

/** 1, 2, 3, … */
export function count(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('A whole number above 0.');
  return value;
}
