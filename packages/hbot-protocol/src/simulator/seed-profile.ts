/** The bot of the protocol's first description (1.x): every command works, and texts go to `notify`. */
import { type CommandHandlers, CommandRejected } from '../bridge/handlers.js';
import { sortParams } from './config-keys.js';
import { historyText, statusText, stoppedPerformance } from './reports.js';
import { type Greeting, LOGGERS, log, type Simulation, tradesOf, windDown } from './simulation.js';

/** The handlers of that bot. */
export function seedHandlers(simulation: Simulation): CommandHandlers {
  const notify = (msg: string) => simulation.send((publish) => publish.notify(msg));

  return {
    start: ({ script }) => {
      if (simulation.state === 'running') {
        throw new CommandRejected('The bot is already running - please run "stop" first');
      }
      simulation.strategy = script ?? simulation.strategy ?? 'simulated';
      simulation.state = 'running';
      log(simulation, 'start command initiated.');
      log(simulation, `Strategy ${simulation.strategy} started successfully`, { logger: LOGGERS.core });
      notify(`\nThe strategy ${simulation.strategy} was started.`);
      // Begins anew, so that whoever asked sees the first order soon.
      simulation.engine.stop({ cancel: true });
      simulation.engine.start();
    },

    stop: ({ skip_order_cancellation, async_backend }) => {
      // As in the real bot, only the way that answers at once looks at the flag.
      windDown(simulation, stoppedPerformance, async_backend === true && skip_order_cancellation === true);
      notify('\nHummingbot stopped.');
    },

    import: ({ strategy }) => {
      if (strategy === '') throw new CommandRejected('Empty strategy_name given!');
      simulation.strategy = strategy;
      log(simulation, `Configuration from ${strategy}.yml file is imported.`);
      notify(`\nConfiguration from ${strategy}.yml file is imported.`);
    },

    config: ({ params }) => {
      // The first description knows no `config` field.
      const { changes, complaint } = sortParams(params ?? []);
      if (complaint !== undefined) return { changes, config: undefined, status: 400, msg: complaint };
      notify(
        changes.length === 0
          ? `\nStrategy: ${simulation.strategy ?? 'none'}`
          : changes.map(([key]) => `\n${key} was changed.`).join(''),
      );
      return { changes, config: undefined };
    },

    status: ({ async_backend }) => {
      if (simulation.state === 'idle') throw new CommandRejected('No strategy is currently running!');
      const text = statusText(simulation);
      if (async_backend !== true) return { msg: text };
      notify(text);
      return undefined;
    },

    history: ({ days, async_backend }) => {
      if (async_backend !== true) return { trades: tradesOf(simulation, days) };
      notify(historyText(simulation));
      return undefined;
    },

    'balance/limit': ({ exchange, asset, amount }) =>
      notify(
        amount < 0
          ? `Limit for ${asset} on ${exchange} removed.`
          : `Limit for ${asset} on ${exchange} set to ${amount}`,
      ),
    'balance/paper': ({ asset, amount }) => notify(`Paper balance for ${asset} token set to ${amount}`),
    command_shortcuts: ({ params }) => ({ success: (params ?? []).map(() => true) }),
  };
}

/** What such a bot logs while it boots. */
export function seedGreeting(_prefix: string, strategy: string | null): Greeting {
  const connected = ['MQTT Bridge connected with success.', LOGGERS.application] as const;
  return strategy === null
    ? [connected]
    : [connected, [`Strategy ${strategy} started successfully`, LOGGERS.core]];
}
