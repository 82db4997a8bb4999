/** A subject's process, as the measurement drives it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OwnedProcess } from '../interop/owned-process.js';
import type { Measured } from './load.js';
import type { Scenario, Subject, Transport } from './scenarios.js';

const here = fileURLToPath(new URL('.', import.meta.url));
/** Kafka's consumers need seconds to join their groups, commlib-py's half a minute. */
const READY_MS = 120_000;
/** A run that finds no end has a limit of its own, below this. */
const OVERRUN_MS = 60_000;

/** Where a contestant is started. */
export interface Place {
  readonly transport: Transport;
  readonly url: string;
  /** The folder with the Node peers. */
  readonly peers: string;
  /** The Python with commlib-py. */
  readonly python: string | undefined;
  /** Folder for a CPU profile of each process. */
  readonly profile: string | undefined;
}

export class Contestant {
  readonly subject: Subject;
  readonly #process: OwnedProcess;
  #next: { resolve: (line: Line) => void; reject: (error: Error) => void } | undefined;
  readonly #early: Line[] = [];

  constructor(subject: Subject, scenario: Scenario, place: Place) {
    this.subject = subject;
    this.#process = new OwnedProcess({
      ...commandOf(subject, scenario, place),
      onLine: (text) => this.#take(text),
    });
    void this.#process.ended.then((end) => {
      const tail = this.#process.errorTail;
      this.#next?.reject(new Error(`${subject} in ${scenario.id} ended (${end})\n${tail}`));
      this.#next = undefined;
    });
  }

  /** Resolves when both ends are connected and subscribed. */
  async ready(): Promise<void> {
    await this.#line('ready', READY_MS);
  }

  /** Runs for `settleMs` without measuring, and then for `ms`. */
  async run(settleMs: number, ms: number): Promise<Measured> {
    this.#process.write(`${JSON.stringify({ settleMs, ms })}\n`);
    return measuredOf(await this.#line('measured', settleMs + ms + OVERRUN_MS));
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async #line(event: string, withinMs: number): Promise<Line> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const line =
      this.#early.shift() ??
      (await new Promise<Line>((resolve, reject) => {
        this.#next = { resolve, reject };
        if (this.#process.end !== undefined) reject(new Error(`it has ended (${this.#process.end})`));
        timer = setTimeout(() => {
          const tail = this.#process.errorTail;
          reject(new Error(`${this.subject} was not ${event} within ${withinMs} ms\n${tail}`));
        }, withinMs);
      }));
    clearTimeout(timer);
    if (line.event !== event) throw new Error(`${this.subject} said ${JSON.stringify(line)}, not ${event}`);
    return line;
  }

  #take(text: string): void {
    const line: Line = JSON.parse(text);
    const next = this.#next;
    this.#next = undefined;
    if (next) next.resolve(line);
    else this.#early.push(line);
  }
}

type Line = Readonly<Record<string, unknown>>;

function commandOf(subject: Subject, scenario: Scenario, place: Place): { command: string; args: string[] } {
  const { transport, url, python } = place;
  if (subject === 'commlib-py') {
    if (python === undefined) throw new Error('no Python');
    const script = join(here, 'subjects', 'commlib_py.py');
    return { command: python, args: [script, transport, scenario.id, url] };
  }
  const worker = [join(here, 'worker.ts'), subject, transport, scenario.id, url, place.peers];
  if (place.profile) worker.push(join(place.profile, `${transport}.${scenario.id}.${subject}.cpuprofile`));
  // The parent's own options have the TypeScript loader among them.
  return { command: process.execPath, args: [...process.execArgv, ...worker] };
}

function measuredOf(line: Line): Measured {
  const number = (name: string): number => {
    const value = line[name];
    if (typeof value !== 'number') throw new Error(`no ${name} in ${JSON.stringify(line)}`);
    return value;
  };
  const optional = (name: string) => (line[name] === undefined ? undefined : number(name));
  return {
    count: number('count'),
    seconds: number('seconds'),
    cpuSeconds: number('cpuSeconds'),
    memory: number('memory'),
    growth: number('growth'),
    p50: optional('p50'),
    p99: optional('p99'),
  };
}
