/** What has come of everything: the replies, and how many messages of each stream. */
import type { StreamName } from '@commlib/hbot-protocol';
import type { Colours } from '../terminal/io.js';
import { clip, oneLine, table, toJson } from '../terminal/text.js';
import { commandNames } from './commands.js';

/** What a command ended in. */
export interface Result {
  readonly command: string;
  readonly what: string;
  readonly good: boolean;
  /** The reply, or why there is none. */
  readonly reply: unknown;
}

/** The streams that must have been heard, with the words of the summary. */
export const expectedStreams = {
  hb: 'heartbeats',
  events: 'events',
  notify: 'notifications',
  log: 'log lines',
} as const satisfies Partial<Record<StreamName, string>>;

const LONGEST_REPLY = 160;

/** Collects during a run. */
export class Tally {
  readonly results: Result[] = [];
  readonly #received = new Map<StreamName, number>();
  readonly #waiting = new Set<() => void>();

  received(stream: StreamName): void {
    this.#received.set(stream, this.count(stream) + 1);
    for (const wake of [...this.#waiting]) wake();
  }

  count(stream: StreamName): number {
    return this.#received.get(stream) ?? 0;
  }

  /** Streams of which nothing has come so far. */
  get silent(): string[] {
    return entries(expectedStreams).flatMap(([stream, words]) => (this.count(stream) === 0 ? [words] : []));
  }

  /** Resolves when every expected stream was heard, when the time is over, or at the signal. */
  heardAll(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#waiting.delete(check);
        resolve();
      };
      const check = () => {
        if (this.silent.length === 0) done();
      };
      const timer = setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done, { once: true });
      this.#waiting.add(check);
      if (signal.aborted) done();
      else check();
    });
  }

  /** Everything was answered with 200 and every stream was heard. */
  get good(): boolean {
    const answered = commandNames.every((name) => this.results.some(({ command }) => command === name));
    return answered && this.silent.length === 0 && this.results.every(({ good }) => good);
  }

  /** The summary for people. */
  text({ green, red, bold }: Colours): string {
    const mark = (good: boolean) => (good ? '✓' : '✗');
    const results = commandNames.flatMap((name) => {
      const own = this.results.filter(({ command }) => command === name);
      if (own.length === 0) return [[mark(false), name, '', 'was not sent']];
      return own.map(({ good, what, reply }) => [
        mark(good),
        name,
        what,
        clip(oneLine(toJson(reply)), LONGEST_REPLY),
      ]);
    });
    const streams = entries(expectedStreams).map(([stream, words]) => {
      const count = this.count(stream);
      return [mark(count > 0), words, `${count} received`];
    });
    const paint = (cell: string) => (cell === '✓' ? green(cell) : cell === '✗' ? red(cell) : cell);
    const verdict = this.good ? green('Everything worked.') : red('Something failed.');
    return [
      bold('Commands and replies'),
      table(results, paint),
      '',
      bold('Streams'),
      table(streams, paint),
      '',
      verdict,
    ].join('\n');
  }

  /** The summary for programs. */
  record() {
    const streams = Object.fromEntries(
      entries(expectedStreams).map(([stream]) => [stream, this.count(stream)]),
    );
    return { good: this.good, commands: this.results, streams };
  }
}

function entries<K extends string, V>(object: Readonly<Record<K, V>>): [K, V][] {
  // Object.entries forgets the type of its keys; the object is a literal of ours.
  return Object.entries(object) as [K, V][];
}
