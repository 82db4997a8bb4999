import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectAsync, type MqttClient } from 'mqtt';
import { pythonOf } from './environments.js';
import { OwnedProcess } from './owned-process.js';

/** `2.13`: bridge on commlib-py 0.11.5; `2.18`: bridge on aiomqtt. */
export const hummingbotEras = ['2.13', '2.18'] as const;
export type HummingbotEra = (typeof hummingbotEras)[number];

export interface HummingbotOptions {
  era: HummingbotEra;
  /** MQTT port of the broker on 127.0.0.1. */
  port: number;
  /** Instance id; default `real-<era without dot>`. */
  id?: string;
  /** Default `hbot`. */
  namespace?: string;
  /** Start the `wire_probe` strategy at boot; `hummingbot/README.md` tells what it can be asked to do. */
  strategy?: boolean;
  /** The strategy trades by itself every so many seconds. */
  autoSeconds?: number;
  /** The interactive application in a pseudo terminal; default is headless. */
  ui?: boolean;
  user?: string;
  password?: string;
  /** `mqtts`, trusting this CA (path of a PEM file). */
  tlsCa?: string;
  /** The order of Hummingbot's own quick start, with which a headless bot never publishes `/events`. */
  vendorOrder?: boolean;
  /** Further `mqtt_bridge` settings, e.g. `{ mqtt_events: false }`. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  /** The bot's folder (configuration, logs, trades), kept for a later start. Default: a new one, removed at the end. */
  home?: string;
  /** Credentials with which `ready()` asks the bot; default the bot's own. */
  observer?: { user: string; password: string };
}

/**
 * A complete real Hummingbot in a process of its own.
 *
 * @example
 * await using bot = await startHummingbot({ era: '2.18', port, strategy: true });
 * await bot.ready();
 * // … `${bot.prefix}/history` answers, `${bot.prefix}/performance` comes every second …
 */
export class Hummingbot implements AsyncDisposable {
  /** `<namespace>/<id>` as this era writes it: 2.13 turns every dot into a slash. */
  readonly prefix: string;
  /** The bot's folder. */
  readonly home: string;
  readonly #options: HummingbotOptions;
  readonly #process: OwnedProcess;

  constructor(python: string, home: string, options: HummingbotOptions) {
    const { era, id = `real-${era.replace('.', '')}`, namespace = 'hbot' } = options;
    const prefix = `${namespace}/${id}`;
    this.prefix = era === '2.13' ? prefix.replaceAll('.', '/') : prefix;
    this.home = home;
    this.#options = options;
    this.#process = new OwnedProcess({
      command: python,
      args: [
        fileURLToPath(new URL('./hummingbot/run.py', import.meta.url)),
        ...['--exit-with-stdin', '--home', home, '--id', id, '--namespace', namespace],
        ...[
          '--port',
          String(options.port),
          '--user',
          options.user ?? '',
          '--password',
          options.password ?? '',
        ],
        ...['--auto', String(options.autoSeconds ?? 0)],
        ...(options.strategy ? ['--strategy'] : []),
        ...(options.ui ? ['--ui'] : []),
        ...(options.tlsCa ? ['--tls'] : []),
        ...(options.vendorOrder ? ['--vendor-order'] : []),
        ...Object.entries(options.settings ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
      ],
      // The bot is compiled for a terminal of any size but 0x0.
      env: { COLUMNS: '200', LINES: '50', ...(options.tlsCa ? { SSL_CERT_FILE: options.tlsCa } : {}) },
    });
  }

  /** How the process ended, or `undefined` while it runs. */
  get end(): string | undefined {
    return this.#process.end;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Resolves once the bot answers a command over MQTT and, with `strategy`, its listener for external events has
   * echoed one. About 4 s, 6 s with a strategy. Nothing is left behind but those requests in its log.
   *
   * @param timeoutMs default 90000
   * @throws Error when the bot ends or the time is over, with the end of its logs
   */
  async ready(timeoutMs = 90_000): Promise<void> {
    const deadline = AbortSignal.timeout(timeoutMs);
    const bridgeUp = () =>
      access(join(this.home, 'ready')).then(
        () => true,
        () => false,
      );
    while (!(await bridgeUp())) await this.#pause(deadline, 'its bridge did not come up');

    const { strategy, settings } = this.#options;
    const client = await this.#connect();
    try {
      if (settings?.mqtt_commands !== false) {
        await this.#echo(client, deadline, {
          to: `${this.prefix}/status`,
          body: (replyTo) => ({ header: { reply_to: replyTo }, data: { async_backend: false } }),
          from: `${this.prefix}/interop-ready`,
        });
      }
      if (strategy && settings?.mqtt_external_events !== false) {
        await this.#echo(client, deadline, {
          to: `${this.prefix}/external/event/interop/ready`,
          body: () => ({}),
          from: `${this.prefix}/probe/seen`,
        });
      }
    } finally {
      await client.endAsync(true);
    }
  }

  /** Types into the terminal of a `ui` bot, e.g. `bot.type('mqtt restart\r')`. */
  type(keys: string): void {
    this.#process.write(keys);
  }

  /** The end of what the bot logged: its log files, what it printed, and for `ui` nothing of the screen. */
  async logTail(lines = 40): Promise<string> {
    const log = await readFile(join(this.home, 'logs', 'logs_hummingbot.log'), 'utf8').catch(() => '');
    return `${log.trimEnd().split('\n').slice(-lines).join('\n')}\n${this.#process.errorTail}`;
  }

  /** Ends the bot: SIGTERM, and SIGKILL after `graceMs` (default 5000). It publishes nothing when it goes. */
  async stop(graceMs?: number): Promise<string> {
    const end = await this.#process.stop(graceMs);
    if (this.#options.home === undefined) await rm(this.home, { recursive: true, force: true });
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #connect(): Promise<MqttClient> {
    const { observer, port, tlsCa, user, password } = this.#options;
    const client = await connectAsync(`${tlsCa ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`, {
      username: observer?.user ?? user,
      password: observer?.password ?? password,
      reconnectPeriod: 0,
      ...(tlsCa ? { ca: await readFile(tlsCa) } : {}),
    });
    client.on('error', () => {}); // a lost connection shows as the echo that does not come
    return client;
  }

  /** Publishes to one topic until something arrives on another. */
  async #echo(
    client: MqttClient,
    deadline: AbortSignal,
    ask: { to: string; body: (replyTo: string) => object; from: string },
  ): Promise<void> {
    let heard = false;
    const listen = (topic: string) => {
      heard ||= topic === ask.from;
    };
    client.on('message', listen);
    await client.subscribeAsync(ask.from, { qos: 1 });
    for (let round = 0; !heard; round++) {
      if (round % 20 === 0) await client.publishAsync(ask.to, JSON.stringify(ask.body(ask.from)), { qos: 1 });
      if (!heard) await this.#pause(deadline, `nothing came on ${ask.from}`);
    }
    await client.unsubscribeAsync(ask.from);
    client.off('message', listen);
  }

  async #pause(deadline: AbortSignal, problem: string): Promise<void> {
    if (this.end === undefined && !deadline.aborted) return sleep(50);
    const state = this.end === undefined ? 'is not ready in time' : `ended (${this.end})`;
    throw new Error(
      `Hummingbot ${this.#options.era} ${this.prefix} ${state}: ${problem}\n${await this.logTail()}`,
    );
  }
}

/** Starts a bot; the environment of its era is made first when it is missing (two minutes). Then call `ready()`. */
export async function startHummingbot(options: HummingbotOptions): Promise<Hummingbot> {
  const python = await pythonOf(`hummingbot-${options.era}`);
  const home = options.home ?? (await mkdtemp(join(tmpdir(), 'hummingbot-')));
  return new Hummingbot(python, home, options);
}
