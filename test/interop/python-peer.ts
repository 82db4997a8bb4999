import { fileURLToPath } from 'node:url';
import { pythonOf } from './environments.js';
import { OwnedProcess } from './owned-process.js';

/** The commlib-py releases that the tests run against. */
export const commlibVersions = ['0.11.5', '0.13.1', '0.13.2'] as const;
export type CommlibVersion = (typeof commlibVersions)[number];

/** What `peer.py` can be; `peers-py/README.md` tells what each role does and prints. */
export type PeerRole =
  | 'publish'
  | 'subscribe'
  | 'psubscribe'
  | 'rpc-service'
  | 'rpc-client'
  | 'action-service'
  | 'action-client'
  | 'node';

/** One JSON line of a peer: `event` says what happened, the other fields depend on it. */
export interface PeerLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The transports that commlib-py and we have both. */
export type PeerTransport = 'mqtt' | 'amqp' | 'redis' | 'kafka';

export interface PeerOptions {
  version: CommlibVersion;
  transport: PeerTransport;
  role: PeerRole;
  /** Topic, RPC, action or node name, spelled as commlib-py users spell it. */
  name: string;
  /** Of the broker, e.g. `amqp://guest:guest@127.0.0.1:5672`. Without user and password commlib-py takes its own defaults. */
  url: string;
  /** Further options of `peer.py`, e.g. `['--typed', '--count', '3']`. */
  args?: readonly string[];
}

interface Waiter {
  accepts(line: PeerLine): boolean;
  settle(line: PeerLine | Error): void;
}

/**
 * A commlib-py endpoint in a process of its own.
 *
 * @example
 * await using peer = await startPeer({ version: '0.13.2', transport: 'mqtt', url, role: 'rpc-service', name: 'srv.echo' });
 * await peer.ready();
 * // … call srv.echo …
 * const request = await peer.next('request', (line) => line.name === 'srv.echo');
 */
export class PythonPeer implements AsyncDisposable {
  /** Every line that came so far, in order. */
  readonly lines: PeerLine[] = [];
  readonly #label: string;
  readonly #process: OwnedProcess;
  readonly #given = new Set<PeerLine>();
  readonly #waiters = new Set<Waiter>();

  constructor(python: string, options: PeerOptions) {
    this.#label = `${options.role} ${options.name} of commlib-py ${options.version} on ${options.transport}`;
    this.#process = new OwnedProcess({
      command: python,
      args: [
        fileURLToPath(new URL('./peers-py/peer.py', import.meta.url)),
        ...['--exit-with-stdin', '--transport', options.transport, ...placeOf(options.url)],
        ...(options.args ?? []),
        options.role,
        options.name,
      ],
      onLine: (text) => this.#take(text),
    });
    void this.#process.ended.then((end) => {
      for (const waiter of this.#waiters) waiter.settle(this.#problem(`ended (${end})`));
    });
  }

  /** How the process ended (`code 0`: everything expected came), or `undefined` while it runs. */
  get end(): string | undefined {
    return this.#process.end;
  }

  /** Resolves with how the process ended; for roles that end by themselves. */
  get ended(): Promise<string> {
    return this.#process.ended;
  }

  /**
   * Resolves once the endpoint is up. Kafka endpoints need up to 15 s.
   *
   * @param timeoutMs default 30000
   */
  async ready(timeoutMs = 30_000): Promise<void> {
    await this.next('ready', undefined, timeoutMs);
  }

  /**
   * The next line of this event that the predicate accepts. Each line is given out once; lines that came before the
   * call count too.
   *
   * @param timeoutMs default 10000
   * @throws Error when the time is over or the peer ends first; its message holds the last lines and Python's own log
   */
  next(
    event: string,
    accept: (line: PeerLine) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<PeerLine> {
    const accepts = (line: PeerLine) => line.event === event && !this.#given.has(line) && accept(line);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        accepts,
        settle: (line) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          if (line instanceof Error) {
            reject(line);
          } else {
            this.#given.add(line);
            resolve(line);
          }
        },
      };
      const timer = setTimeout(
        () => waiter.settle(this.#problem(`printed no such '${event}' within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const here = this.lines.find(accepts);
      if (here) waiter.settle(here);
      else if (this.end !== undefined) waiter.settle(this.#problem(`ended (${this.end})`));
      else this.#waiters.add(waiter);
    });
  }

  /** The end of Python's own log. */
  get log(): string {
    return this.#process.errorTail;
  }

  /** All lines of one event so far. */
  all(event: string): PeerLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Ends the peer: SIGTERM, and SIGKILL after `graceMs` (default 5000). Resolves with how it ended. */
  stop(graceMs?: number): Promise<string> {
    return this.#process.stop(graceMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(text: string): void {
    const line = parseLine(text);
    this.lines.push(line);
    const waiting = [...this.#waiters].find((waiter) => waiter.accepts(line));
    waiting?.settle(line);
  }

  #problem(what: string): Error {
    const seen = this.lines.slice(-10).map((line) => JSON.stringify(line));
    return new Error(`${this.#label} ${what}\n${seen.join('\n')}\n${this.#process.errorTail}`);
  }
}

/** Starts a peer; the environment of its version is made first when it is missing. Call `ready()` before using it. */
export async function startPeer(options: PeerOptions): Promise<PythonPeer> {
  return new PythonPeer(await pythonOf(`commlib-py-${options.version}`), options);
}

/** The options of `peer.py` for a broker. */
function placeOf(text: string): string[] {
  const url = new URL(text);
  return [
    ...['--host', url.hostname, '--port', url.port],
    ...(url.username ? ['--user', decodeURIComponent(url.username)] : []),
    ...(url.password ? ['--password', decodeURIComponent(url.password)] : []),
  ];
}

function parseLine(text: string): PeerLine {
  try {
    const value: unknown = JSON.parse(text);
    if (isLine(value)) return value;
  } catch {
    // not JSON: reported as it is
  }
  return { event: 'unparsed', text };
}

function isLine(value: unknown): value is PeerLine {
  return typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string';
}
