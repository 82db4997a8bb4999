/** A bot that needs no Hummingbot, no exchange and no money. */
import { CommlibError, strictJson } from '@commlib/core';
import { HbotBridge } from '../bridge/bridge.js';
import { type Clock, every, systemClock } from '../bridge/clock.js';
import type { NamedExternalEvent } from '../bridge/external-events.js';
import type { BridgeConnection, BridgeGates } from '../bridge/options.js';
import { Account } from './account.js';
import { TradingEngine } from './engine.js';
import { PROFILES, type ProfileTraits, type SimulatorProfile } from './profiles.js';
import { Random } from './random.js';
import { log, type Simulation } from './simulation.js';

/** Options of a {@link SimulatedBot}. */
export type SimulatedBotOptions = BridgeConnection & {
  /** Default `testbot`. */
  readonly id?: string | undefined;
  /** Default `hbot`. */
  readonly namespace?: string | undefined;
  /** Which release it is. Default `seed`. */
  readonly profile?: SimulatorProfile | undefined;
  /** The same seed gives the same orders, ids and prices. Default 1. */
  readonly seed?: number | undefined;
  /**
   * A strategy trades from the boot on. Default: true for `seed` (its first `start` takes the strategy over), false for
   * the others.
   */
  readonly running?: boolean | undefined;
  readonly gates?: BridgeGates | undefined;
  /** Milliseconds between heartbeats. Default 10 000. */
  readonly heartbeatMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Told what could not be published. Default: nobody; being offline is never told. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

/**
 * A simulated Hummingbot on a real bridge. It trades on paper, publishes what a bot of its release publishes, and
 * answers what that release answers, faults included: see {@link SimulatorProfile}.
 *
 * An external event `order.market` with `{"type": "buy" | "sell", "amount": "0.1"}` places an order, as Hummingbot's own
 * example script does.
 *
 * With a transport of its own it writes Hummingbot's bytes: negative integers as strings, `\/`, milliseconds in RPC
 * headers. On a node that is given, that node's codec and envelope count.
 *
 * @example
 * ```ts
 * const bot = await SimulatedBot.start({ id: 'testbot', node, profile: '2.18', running: true });
 * await bot.close();
 * ```
 */
export class SimulatedBot implements AsyncDisposable {
  readonly id: string;
  readonly profile: SimulatorProfile;
  /** Its side of the protocol: may be stopped and started, as `mqtt stop` and `mqtt start` in the real bot. */
  readonly bridge: HbotBridge;
  readonly #traits: ProfileTraits;
  readonly #simulation: Simulation;
  readonly #stops: (() => void)[] = [];

  private constructor(options: SimulatedBotOptions) {
    const { id = 'testbot', profile = 'seed', clock = systemClock, onError } = options;
    this.id = id;
    this.profile = profile;
    const traits = PROFILES[profile];
    this.#traits = traits;
    const random = new Random(options.seed ?? 1);
    const account = new Account(traits.market, random);
    const engine = new TradingEngine({
      clock,
      random,
      account,
      onEvent: (type, data) => {
        this.#simulation.send((publish) => publish.event(type, data));
        this.#comment(type, data);
      },
    });
    this.#simulation = {
      clock,
      account,
      engine,
      bootedAt: clock.now(),
      state: 'idle',
      strategy: null,
      send: (what) => {
        what(this.bridge.publish).catch((error) => {
          if (!CommlibError.is(error, 'NOT_CONNECTED') && !CommlibError.is(error, 'CLOSED')) onError?.(error);
        });
      },
    };
    this.bridge = new HbotBridge({
      ...connectionOf(options),
      id,
      namespace: options.namespace,
      dialect: traits.dialect,
      missingData: traits.missingData,
      commands: traits.handlers(this.#simulation),
      gates: options.gates,
      heartbeatMs: options.heartbeatMs,
      clock,
      onError,
    });
    this.bridge.onExternalEvent('*', (event) => this.#external(event));
  }

  /** Boots a bot; resolves when it can be reached. */
  static async start(options: SimulatedBotOptions): Promise<SimulatedBot> {
    const bot = new SimulatedBot(options);
    await bot.bridge.start();
    bot.#boot(options.running ?? bot.#traits.runsAtBoot);
    return bot;
  }

  /** Whether its strategy trades. */
  get trading(): boolean {
    return this.#simulation.engine.running;
  }

  /** Places an order as the strategy would, at once. */
  placeOrder(side: 'BUY' | 'SELL', kind: 'MARKET' | 'LIMIT', amount: number): void {
    this.#simulation.engine.order(side, kind, amount);
  }

  /** Says `offline` and ends. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.#simulation.engine.stop({ cancel: false });
    await this.bridge.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #boot(running: boolean): void {
    const simulation = this.#simulation;
    const { clock, account, engine } = simulation;
    const strategy = running ? 'simulated' : null;
    for (const [msg, logger] of this.#traits.greeting(this.bridge.prefix, strategy))
      log(simulation, msg, { logger });
    simulation.strategy = strategy;
    if (running) {
      simulation.state = this.#traits.runsAtBoot ? 'demo' : 'running';
      if (this.#traits.notifies)
        simulation.send((publish) => publish.notify('\nThe simulated strategy is running.'));
      engine.start();
    }
    const report = every(clock, 1_000, () => {
      if (engine.running) simulation.send((publish) => this.#traits.performance(account, publish));
    });
    this.#stops.push(report);
  }

  /** What the strategy says to people about an event. */
  #comment(type: string, data: Readonly<Record<string, unknown>>): void {
    const simulation = this.#simulation;
    const { base, quote } = simulation.account.market;
    if (type === 'OrderFilled') {
      const text = `${String(data.trade_type).replace('TradeType.', '')} ${data.amount} ${base} at ${data.price} ${quote}`;
      log(simulation, `Order ${data.order_id} was filled: ${text}`);
      if (this.#traits.notifies) simulation.send((publish) => publish.notify(`Filled: ${text}`));
    } else if (type === 'OrderFailure') {
      log(simulation, `Order ${data.order_id} has failed`, { level: 'WARNING' });
    }
  }

  #external({ name, data }: NamedExternalEvent): void {
    const simulation = this.#simulation;
    // JSON.stringify throws for what integers beyond 2^53 are read as.
    const text = JSON.stringify(data, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    log(simulation, `External event ${name}: ${text}`);
    if (name !== 'order.market' || !simulation.engine.running) return;
    const amount =
      typeof data.amount === 'string' || typeof data.amount === 'number' ? Number(data.amount) : 0;
    if ((data.type === 'buy' || data.type === 'sell') && amount > 0) {
      simulation.engine.order(data.type === 'buy' ? 'BUY' : 'SELL', 'MARKET', amount);
    } else {
      log(simulation, `External event ${name} was not understood`, { level: 'WARNING' });
    }
  }
}

/** With a transport of its own, the bot writes what Hummingbot writes. */
function connectionOf(options: SimulatedBotOptions): BridgeConnection {
  if (options.node !== undefined) return { node: options.node };
  return {
    transport: options.transport,
    nodeOptions: {
      codec: strictJson(),
      envelope: { timestamps: 'ms', agent: 'commlib' },
      ...options.nodeOptions,
    },
  };
}
