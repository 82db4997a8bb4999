/** What every `commlib` command is given. */

import type { Node } from '@commlib/core';
import type { Command } from 'commander';
import { type ConnectionLine, connectionLines } from '../connection/events.js';
import { type ConnectionFlags, settingsOf } from '../connection/flags.js';
import { withNode } from '../connection/session.js';
import type { TransportRegistry } from '../connection/transports.js';
import { type Settings, targetOf } from '../settings/resolve.js';
import type { Io } from '../terminal/io.js';
import { oneLine } from '../terminal/text.js';

/** Prefixes of the environment variables. */
export const PREFIXES = ['COMMLIB'] as const;

/** A connected command. */
export interface Context {
  readonly io: Io;
  readonly node: Node;
  readonly settings: Settings;
  /** The broker, for messages. */
  readonly where: string;
  /** A line about what is going on, on stderr; left out with `--quiet`. */
  note(text: string): void;
}

/** Connects for a command, tells losses and dropped messages on stderr. */
export async function connected<T>(
  command: Command,
  io: Io,
  registry: TransportRegistry,
  work: (context: Context) => Promise<T>,
): Promise<T> {
  const flags = command.optsWithGlobals<ConnectionFlags & { quiet?: boolean }>();
  const settings = await settingsOf(io, flags, PREFIXES);
  const lines = connectionLines();
  const { green, red, yellow, dim } = io.err.colours;
  const paint: Record<ConnectionLine['tone'], (text: string) => string> = {
    good: green,
    bad: red,
    note: yellow,
  };
  const onEvent: Parameters<typeof withNode>[0]['onEvent'] = (event) => {
    const line = lines(event);
    if (line && !flags.quiet) io.err.write(`${paint[line.tone](oneLine(line.text))}\n`);
  };
  return withNode({ io, settings, registry, onEvent }, (node) =>
    work({
      io,
      node,
      settings,
      where: targetOf(settings),
      note: (text) => {
        if (!flags.quiet) io.err.write(`${dim(oneLine(text))}\n`);
      },
    }),
  );
}
