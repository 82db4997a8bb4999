/** The commands of a bot, as methods. */
import { ValidationError } from '@commlib/core';
import type { CommandName, CommandReply, CommandRequest } from '../schemas/commands/index.js';
import type { Commander } from './commander.js';
import type {
  BalanceLimit,
  CommandOptions,
  HistoryOptions,
  PaperBalance,
  StartStrategyOptions,
  StatusOptions,
  StopStrategyOptions,
} from './options.js';

/** A configuration key and its value: `['mqtt_bridge.mqtt_autostart', 1]`. */
export type ConfigParam = readonly [key: string, value: unknown];

/** Without the fields that were not given: a bot takes an explicit `null` for a value. */
export function without<T extends object>(fields: T): T {
  const given = { ...fields };
  for (const key of Object.keys(given) as (keyof T)[]) if (given[key] === undefined) delete given[key];
  return given;
}

function isPairs(params: object): params is readonly ConfigParam[] {
  return Array.isArray(params);
}

/** What {@link HbotClient} is built on. */
export abstract class BotCommands {
  /** @internal */
  protected abstract readonly commander: Commander;

  /** Starts the strategy that was imported, or a script. The answer comes when its checks are done. */
  start(options: StartStrategyOptions = {}, command?: CommandOptions): Promise<CommandReply<'start'>> {
    const request = {
      log_level: options.logLevel,
      script: options.script,
      conf: options.conf,
      v2_conf: options.v2Conf,
      is_quickstart: options.isQuickstart,
      async_backend: options.asyncBackend ?? false,
    };
    return this.commander.run('start', without(request), command);
  }

  /** Stops the strategy and cancels its orders. A bot without a running strategy says 200 too. */
  async stop(options: StopStrategyOptions = {}, command?: CommandOptions): Promise<CommandReply<'stop'>> {
    const { skipOrderCancellation: skip, asyncBackend = skip ?? false } = options;
    if (skip && !asyncBackend) {
      const message = 'a bot heeds it only with asyncBackend: true, and would cancel the orders';
      throw new ValidationError('stop', [{ path: 'skipOrderCancellation', message }]);
    }
    return this.commander.run(
      'stop',
      without({ skip_order_cancellation: skip, async_backend: asyncBackend }),
      command,
    );
  }

  /**
   * Without `params` lists the configuration (1.15 to 2.6), with them changes it. `changes` of the answer are those the
   * bot accepted; whether a value was applied, no answer tells. On 2.7 to 2.18 the answer is 400 even when all were
   * applied: see `reply.changes` of the {@link HbotCommandError}. Settings of the bridge need a restart of it.
   */
  config(
    params: readonly ConfigParam[] | Readonly<Record<string, unknown>> = [],
    command?: CommandOptions,
  ): Promise<CommandReply<'config'>> {
    const pairs: readonly ConfigParam[] = isPairs(params) ? params : Object.entries(params);
    return this.commander.run(
      'config',
      { params: pairs.map(([key, value]): [string, unknown] => [key, value]) },
      command,
    );
  }

  /** Loads a strategy's configuration: a file in the bot's `conf/strategies`; `.yml` is added by the bot. */
  importStrategy(name: string, command?: CommandOptions): Promise<CommandReply<'import'>> {
    return this.commander.run('import', { strategy: name.replace(/\.yml$/, '') }, command);
  }

  /** The strategy's status, as text in `msg`. Broken on 2.7 to 2.18. */
  status(options: StatusOptions = {}, command?: CommandOptions): Promise<CommandReply<'status'>> {
    return this.commander.run('status', { async_backend: options.asyncBackend ?? false }, command);
  }

  /** The trades of the strategy that is loaded. Works on every release. */
  history(options: HistoryOptions = {}, command?: CommandOptions): Promise<CommandReply<'history'>> {
    const { days, verbose, precision, asyncBackend = false } = options;
    return this.commander.run(
      'history',
      without({ days, verbose, precision, async_backend: asyncBackend }),
      command,
    );
  }

  /** Limits what strategies may use of an asset. The bot says 200 before it has looked at the exchange's name. */
  balanceLimit(
    { exchange, asset, amount }: BalanceLimit,
    command?: CommandOptions,
  ): Promise<CommandReply<'balance/limit'>> {
    return this.commander.run('balance/limit', { exchange, asset, amount }, command);
  }

  /** Sets a balance of the paper account. */
  balancePaper(
    { asset, amount }: PaperBalance,
    command?: CommandOptions,
  ): Promise<CommandReply<'balance/paper'>> {
    return this.commander.run('balance/paper', { asset, amount }, command);
  }

  /** Runs the user's own command shortcuts, each a name and its arguments. Up to 2.6.1; later bots never answer. */
  commandShortcuts(
    shortcuts: readonly (readonly string[])[],
    command?: CommandOptions,
  ): Promise<CommandReply<'command_shortcuts'>> {
    return this.commander.run(
      'command_shortcuts',
      { params: shortcuts.map((shortcut) => [...shortcut]) },
      command,
    );
  }

  /** Sends any command as it is given, and hands back the answer whatever its `status` is. Secrets are redacted all the same. */
  request<C extends CommandName>(
    command: C,
    data: CommandRequest<C>,
    options?: CommandOptions,
  ): Promise<CommandReply<C>> {
    return this.commander.request(command, data, options);
  }
}
