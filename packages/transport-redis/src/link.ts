/**
 * The sockets of one attempt: one for commands (on a cluster, one per master), and more where the protocol demands it: for
 * messages, and for each read that waits. When one ends, all end, and are made anew.
 */
import { CommlibError, ConnectionError } from '@commlib/core';
import { Command } from 'ioredis';
import { Connection, type Role } from './connection.js';
import { connectionError, replyCode } from './errors.js';
import { type Endpoint, endpoint, type RedisConfig } from './options.js';

const SLOTS = 16_384;
/** How often the server is asked for its time. */
const CLOCK_MS = 60_000;
/** An answer that comes as soon as this says well enough when it was given. */
const PROMPT_MS = 200;

export class Link {
  readonly #config: RedisConfig;
  readonly #signal = new AbortController();
  readonly #onEnd: (link: Link, error: CommlibError) => void;
  readonly #connections = new Set<Connection>();
  /** Of the only server; of a cluster, by slot. */
  readonly #bySlot: Connection[] = [];
  #masters: readonly Endpoint[] = [];
  #first: Connection | undefined;
  #end: CommlibError | undefined;
  #ready = false;
  /** What to add to this process's own clock. */
  #clock: number | undefined;
  #clockTimer: ReturnType<typeof setInterval> | undefined;

  /** Opens the connections for commands. `onEnd` is called once, when a link that was {@link Link.accept}ed is no more. */
  static async open(
    config: RedisConfig,
    signal: AbortSignal,
    onEnd: (link: Link, error: CommlibError) => void,
  ): Promise<Link> {
    const link = new Link(config, onEnd);
    const abort = () =>
      link.abandon(new ConnectionError('CONNECTION_FAILED', `${config.target}: the attempt was interrupted`));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      if (config.cluster) await link.#openCluster(config.cluster.endpoints);
      else link.#first = await link.#connect('commands');
      if (config.sentinel) await link.#requireMaster();
      await link.#setClock();
      link.throwIfEnded();
      link.#clockTimer = setInterval(() => void link.#setClock(), CLOCK_MS);
      return link;
    } catch (error) {
      const known = CommlibError.is(error) ? error : connectionError(error, config.target, false);
      link.abandon(known);
      throw known;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  private constructor(config: RedisConfig, onEnd: (link: Link, error: CommlibError) => void) {
    this.#config = config;
    this.#onEnd = onEnd;
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  throwIfEnded(): void {
    if (this.#end) throw this.#end;
  }

  /** The server's clock, as far as it may be asked; else this machine's. */
  now(): number {
    return this.#clock === undefined ? Date.now() : performance.now() + this.#clock;
  }

  async #setClock(): Promise<void> {
    let best = Number.POSITIVE_INFINITY;
    // An answer that was long under way says little of when it was given: asked again, and the shortest way counts.
    for (let tries = 0; tries < 3 && best > PROMPT_MS; tries++) {
      const begun = performance.now();
      const time = await this.commands()
        .call('time')
        .catch(() => undefined); // Not allowed.
      if (!Array.isArray(time)) return;
      const ended = performance.now();
      const ms = Number(time[0]) * 1_000 + Number(time[1]) / 1_000;
      if (!Number.isFinite(ms) || ended - begun >= best) continue;
      best = ended - begun;
      this.#clock = ms - (begun + ended) / 2;
    }
  }

  /** From now on its end is told. */
  accept(): void {
    this.throwIfEnded();
    this.#ready = true;
  }

  /** Where commands about this key go; without one, anywhere. */
  commands(key?: string): Connection {
    const one = key !== undefined && this.#bySlot.length > 0 ? this.#bySlot[slotOf(key)] : this.#first;
    if (one === undefined)
      throw this.#end ?? new ConnectionError('CONNECTION_LOST', `${this.#config.target}: not connected`);
    return one;
  }

  /** Reads of keys with the same text may share a connection. */
  placeOf(key: string): string {
    return this.#bySlot.length > 0 ? String(slotOf(key)) : '';
  }

  /** One more connection, to where that key is. It ends with the link, and the link with it. */
  extra(role: Role, key?: string): Promise<Connection> {
    const at =
      this.#bySlot.length > 0
        ? this.#masters[key === undefined ? 0 : this.#masterOf(slotOf(key))]
        : undefined;
    return this.#connect(role, at);
  }

  /** Ends one of the extra connections, and not the link. */
  async drop(connection: Connection): Promise<void> {
    this.#connections.delete(connection);
    await connection.close(0);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#ready = false;
    clearInterval(this.#clockTimer);
    this.#end ??= new ConnectionError('CONNECTION_LOST', `${this.#config.target}: the connection was closed`);
    await Promise.all([...this.#connections].map((one) => one.close(deadlineMs)));
  }

  abandon(error: CommlibError): void {
    if (this.#end) return;
    this.#end = error;
    clearInterval(this.#clockTimer);
    this.#signal.abort(error);
    for (const one of this.#connections) one.abandon(error);
    if (this.#ready) this.#onEnd(this, error);
  }

  async #connect(role: Role, at?: Endpoint): Promise<Connection> {
    const connection = await Connection.open(
      this.#config,
      { role, endpoint: at, onEnd: (error) => this.#ended(connection, error) },
      this.#signal.signal,
    );
    if (this.#end) {
      connection.abandon(this.#end);
      throw this.#end;
    }
    this.#connections.add(connection);
    return connection;
  }

  #ended(connection: Connection, error: CommlibError): void {
    if (this.#connections.delete(connection)) this.abandon(error);
  }

  /** A sentinel may still name the master of before. */
  async #requireMaster(): Promise<void> {
    try {
      const role = await this.commands().call('role');
      const is = Array.isArray(role) ? String(role[0]) : '';
      if (is === 'master') return;
      throw new ConnectionError(
        'CONNECTION_REFUSED',
        `${this.#config.target}: the sentinels name a ${is} as the master`,
      );
    } catch (error) {
      if (replyCode(error) !== 'NOPERM') throw error;
    }
  }

  // Cluster. Slots that move end the link, and the next one asks again where they are.

  #masterBySlot: Uint16Array = new Uint16Array(0);

  #masterOf(slot: number): number {
    return this.#masterBySlot[slot] ?? 0;
  }

  async #openCluster(seeds: readonly Endpoint[]): Promise<void> {
    let failure: unknown;
    for (const seed of seeds) {
      try {
        const one = await this.#connect('commands', seed);
        const slots = await one.call('cluster', 'SLOTS');
        await this.drop(one);
        return await this.#openMasters(slots, seed);
      } catch (error) {
        this.throwIfEnded();
        if (CommlibError.is(error) && 'permanent' in error && error.permanent) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  async #openMasters(slots: unknown, seed: Endpoint): Promise<void> {
    const mapAddress = this.#config.cluster?.mapAddress ?? ((address) => address);
    const masters: Endpoint[] = [];
    const numbers = new Map<string, number>();
    const bySlot = new Uint16Array(SLOTS).fill(65_535);
    for (const range of Array.isArray(slots) ? slots : []) {
      if (!Array.isArray(range) || !Array.isArray(range[2])) continue;
      const [from, to, [host, port]] = range;
      const named = String(host ?? '');
      const address = mapAddress(`${named === '' || named === '?' ? seed.host : named}:${port}`);
      let number = numbers.get(address);
      if (number === undefined) {
        number = masters.push(endpoint(address, 6379)) - 1;
        numbers.set(address, number);
      }
      bySlot.fill(number, Number(from), Number(to) + 1);
    }
    if (masters.length === 0 || bySlot.includes(65_535))
      throw new ConnectionError(
        'CONNECTION_REFUSED',
        `${this.#config.target}: the cluster does not serve all slots now`,
      );
    this.#masters = masters;
    this.#masterBySlot = bySlot;
    const connections = await Promise.all(masters.map((master) => this.#connect('commands', master)));
    this.#first = connections[0];
    for (let slot = 0; slot < SLOTS; slot++) {
      const connection = connections[this.#masterOf(slot)];
      if (connection) this.#bySlot.push(connection);
    }
  }
}

/** Of 16 384; keys with one text in braces share it. */
function slotOf(key: string): number {
  return new Command('get', [key]).getSlot();
}
