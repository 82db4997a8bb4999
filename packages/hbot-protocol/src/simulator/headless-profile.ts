/**
 * A headless Hummingbot 2.13 or 2.18, as the real ones answered: `start`, `status`, `config` and `import` are broken in
 * those releases, `notify` is silent, and both answer alike.
 */
import { type CommandHandlers, CommandRejected } from '../bridge/handlers.js';
import { sortParams } from './config-keys.js';
import { historyText, stoppedPerformance } from './reports.js';
import { type Greeting, LOGGERS, log, type Simulation, tradesOf, windDown } from './simulation.js';

const NO_STRATEGY = "'HummingbotApplication' object has no attribute 'strategy'";
const NO_CONFIG_MAP = "'HummingbotApplication' object has no attribute '_strategy_config_map'";
const IMPORT_FIRST =
  '\n  Please first import a strategy config file of which to show historical performance.';
const NO_COMPARISON = "'>' not supported between instances of 'NoneType' and 'int'";
const NO_LENGTH = "object of type 'NoneType' has no len()";
const NO_USER_INTERFACE = "'NoneType' object has no attribute 'clear_input'";

/** The handlers of that bot. */
export function headlessHandlers(simulation: Simulation): CommandHandlers {
  return {
    start: ({ script }) => {
      const nothingLoaded = script === null && simulation.strategy === null;
      throw new CommandRejected(
        nothingLoaded ? 'Strategy check: Please import or create a strategy.' : NO_STRATEGY,
      );
    },

    stop: ({ skip_order_cancellation, async_backend }) => {
      windDown(simulation, stoppedPerformance, async_backend === true && skip_order_cancellation === true);
      simulation.strategy = null;
    },

    import: ({ strategy }) => {
      throw new CommandRejected(strategy === '' ? 'Empty strategy_name given!' : NO_USER_INTERFACE);
    },

    config: ({ params }) => {
      const { changes, complaint } = sortParams(params ?? []);
      const broken = params === null ? NO_LENGTH : params.length === 0 ? NO_USER_INTERFACE : NO_CONFIG_MAP;
      const msg = complaint ?? broken;
      log(simulation, msg, { level: 'ERROR' });
      return { changes, status: 400, msg };
    },

    status: () => {
      throw new CommandRejected(NO_STRATEGY);
    },

    history: ({ days, async_backend }) => {
      const loaded = simulation.strategy !== null;
      if (async_backend !== true) {
        if (!loaded) return undefined;
        if (days === null) throw new CommandRejected(NO_COMPARISON);
        return { trades: tradesOf(simulation, days) };
      }
      // With no days the report fails behind the answer, without a word.
      if (!loaded || days !== null) log(simulation, loaded ? historyText(simulation) : IMPORT_FIRST);
      return undefined;
    },

    'balance/limit': () => undefined,
    'balance/paper': () => undefined,
  };
}

/** What such a bot logs while it boots. */
export function headlessGreeting(
  era: '2.13' | '2.18',
): (prefix: string, strategy: string | null) => Greeting {
  return (prefix, strategy) => [
    ...(era === '2.13' ? [[`Starting Node <${prefix.replaceAll('/', '.')}>`, LOGGERS.bridge] as const] : []),
    ...(strategy === null
      ? []
      : [
          [`Markets recorder initialized with database: ${strategy}`, LOGGERS.core] as const,
          ['Creating the clock with tick size: 1.0', LOGGERS.core] as const,
          ['Clock started successfully', LOGGERS.core] as const,
          [`'${strategy}' strategy execution started.`, LOGGERS.core] as const,
          [`Strategy ${strategy} started successfully`, LOGGERS.core] as const,
        ]),
    ['Starting Hummingbot in headless mode...', LOGGERS.application],
    ['MQTT enabled - waiting for MQTT commands...', LOGGERS.application],
    ['Bot is ready to receive commands via MQTT', LOGGERS.application],
    ['MQTT Bridge connected with success.', LOGGERS.application],
  ];
}
