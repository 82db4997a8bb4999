/** What every `hbotctl` command is given: settings, connection, output. */
import {
  CommlibError,
  ConnectionError,
  memory,
  type Node,
  type NodeEvent,
  type Transport,
} from '@commlib/core';
import { DEFAULT_NAMESPACE, type Dialect } from '@commlib/hbot-protocol';
import type { Command } from 'commander';
import { type ConnectionFlags, settingsOf } from '../connection/flags.js';
import { type SessionOptions, withNode } from '../connection/session.js';
import type { TransportRegistry } from '../connection/transports.js';
import { type Settings, targetOf } from '../settings/resolve.js';
import { UsageError } from '../terminal/exit-codes.js';
import type { Io } from '../terminal/io.js';
import { oneLine, toJson } from '../terminal/text.js';

/** Prefixes of the environment variables, in the order of their rank. */
const PREFIXES = ['HBOTCTL', 'COMMLIB'] as const;

/** What the program is built with. */
export interface Kit {
  readonly io: Io;
  readonly registry: TransportRegistry;
}

/** The options of the program itself. */
export interface GlobalFlags extends ConnectionFlags {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly dialect?: Dialect | undefined;
}

/** A connected command. */
export interface Context {
  readonly io: Io;
  readonly node: Node;
  readonly settings: Settings;
  readonly namespace: string;
  readonly dialect: Dialect;
  readonly flags: GlobalFlags;
  /** The broker, for messages. */
  readonly where: string;
  /** Text for people; nothing with `--json`. */
  say(text: string): void;
  /** A record for programs: one line of JSON; nothing without `--json`. */
  record(value: unknown): void;
  /** A line about what is going on, on stderr; left out with `--quiet`. */
  note(text: string): void;
}

/** How a command connects. */
export interface ConnectOptions {
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
  /** Use no broker: nothing leaves this process. */
  readonly dry?: boolean | undefined;
  readonly nodeOptions?: SessionOptions['nodeOptions'];
}

/** Connects, runs the command, closes. */
export async function connected<T>(
  command: Command,
  kit: Kit,
  work: (context: Context) => Promise<T>,
  { onEvent, dry = false, nodeOptions }: ConnectOptions = {},
): Promise<T> {
  const { io } = kit;
  const flags = command.optsWithGlobals<GlobalFlags>();
  if (flags.dryRun && !dry) throw new UsageError('--dry-run is for commands that are sent to a bot');
  const settings = await settingsOf(io, flags, PREFIXES);
  const where = targetOf(settings);
  const { dim } = io.err.colours;
  const contextOf = (node: Node): Context => ({
    io,
    node,
    settings,
    namespace: settings.namespace ?? DEFAULT_NAMESPACE,
    dialect: flags.dialect ?? (dry ? 'aiomqtt' : 'auto'),
    flags,
    where,
    say: (text) => {
      if (!flags.json) io.out.write(`${text}\n`);
    },
    record: (value) => {
      if (flags.json) io.out.write(`${toJson(value)}\n`);
    },
    note: (text) => {
      if (!flags.quiet) io.err.write(`${dim(oneLine(text))}\n`);
    },
  });
  const registry = dry ? { ...kit.registry, [settings.btype]: (): Transport => memory() } : kit.registry;
  try {
    return await withNode({ io, settings, registry, onEvent, nodeOptions }, (node) => work(contextOf(node)));
  } catch (error) {
    throw withRemedy(error, settings);
  }
}

const LOCAL = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Says what a newcomer can do about the most common failure. */
function withRemedy(error: unknown, settings: Settings): unknown {
  if (!CommlibError.is(error, 'CONNECTION_REFUSED')) return error;
  const remedy = LOCAL.has(settings.host)
    ? "is a broker running? 'hbotctl broker' starts one for trying out"
    : 'is it the right host and port?';
  return new ConnectionError('CONNECTION_REFUSED', `${error.message}; ${remedy}`, { cause: error });
}
