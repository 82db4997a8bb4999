/** How messages are shown: topic and data for people, JSON lines for programs. */
import type { Io } from '../terminal/io.js';
import { printable, toJson } from '../terminal/text.js';

/** How to show; unsaid: by whether stdout is a terminal. */
export interface ShowOptions {
  readonly json?: boolean | undefined;
  readonly plain?: boolean | undefined;
}

/** One message. */
export interface Shown {
  readonly topic: string;
  readonly data: unknown;
  readonly retained?: boolean | undefined;
}

/** A function that writes one message to stdout. */
export function shower(io: Io, { json, plain }: ShowOptions): (message: Shown) => void {
  const { out } = io;
  if (json || (!plain && !out.isTerminal)) {
    return ({ topic, data, retained }) => {
      const ts = new Date().toISOString();
      out.write(`${toJson({ topic, ts, ...(retained && { retained }), data })}\n`);
    };
  }
  const { cyan, dim } = out.colours;
  return ({ topic, data, retained }) => {
    const mark = retained ? dim(' (retained)') : '';
    out.write(`${cyan(printable(topic))}${mark} ${printable(toJson(data))}\n`);
  };
}
