/** A running record on stdout: a line with time and source for people, a JSON line for programs. */
import type { Io } from '../../terminal/io.js';
import { oneLine, toJson } from '../../terminal/text.js';
import type { Tone } from './streams.js';

/** One line. */
export interface Entry {
  /** Where it comes from: a stream's name, `connection`, `presence`. */
  readonly source: string;
  readonly text: string;
  readonly tone: Tone;
  /** The same as data. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Writes entries. The source is padded so that texts begin in one column. */
export function journal(io: Io, asJson: boolean): (entry: Entry) => void {
  const { out } = io;
  if (asJson) {
    return ({ source, record }) => out.write(`${toJson({ stream: source, ts: new Date(), ...record })}\n`);
  }
  const { dim, cyan, green, red, yellow } = out.colours;
  const paint: Readonly<Record<Tone, (text: string) => string>> = {
    good: green,
    bad: red,
    note: dim,
    plain: (text) => text,
  };
  const sourceColour = (source: string) => (source === 'connection' || source === 'presence' ? yellow : cyan);
  return ({ source, text, tone }) => {
    const time = new Date().toTimeString().slice(0, 8);
    out.write(
      `${dim(time)} ${sourceColour(source)(source.padEnd(14))} ${paint[tone](oneLine(text.trim()))}\n`,
    );
  };
}
