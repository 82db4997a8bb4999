import { envelopes, impossibleReplies } from './envelopes.js';
import { bytes, type CommandPlan, command } from './plan.js';

const sync = { async_backend: false };

/** Every way of asking that a bot may meet, each with a name. Sent to a bot with nothing loaded. */
export const idleCommands: readonly CommandPlan[] = [
  command('start', 'start', {}),
  command('start sync', 'start', sync),
  command('start script', 'start', { script: 'wire_probe.py', conf: 'conf_wire_probe.yml' }),
  command('start script sync', 'start', { script: 'wire_probe.py', conf: 'conf_wire_probe.yml', ...sync }),
  command('start script unknown sync', 'start', { script: 'no_such_script', ...sync }),
  command('start quickstart', 'start', { is_quickstart: true, log_level: 'INFO' }),
  command('start unknown keys', 'start', {
    v2_conf: 'conf_wire_probe.yml',
    restore: true,
    nonsense: 1,
    ...sync,
  }),
  command('start all null', 'start', {
    log_level: null,
    script: null,
    conf: null,
    is_quickstart: null,
    async_backend: null,
  }),
  command('start boolean as string', 'start', { async_backend: 'no', is_quickstart: 'yes' }),
  command('start wrong type async_backend', 'start', { async_backend: 'perhaps' }),
  command('start wrong type script', 'start', { script: 5 }),
  command('start wrong type log_level', 'start', { log_level: 10 }),

  command('stop', 'stop', {}),
  command('stop sync', 'stop', sync),
  command('stop skip', 'stop', { skip_order_cancellation: true }),
  command('stop boolean as number', 'stop', { skip_order_cancellation: 1, async_backend: 0 }),
  command('stop unknown keys', 'stop', { nonsense: 1, ...sync }),
  command('stop wrong type skip', 'stop', { skip_order_cancellation: 'perhaps' }),
  command('stop wrong type async_backend', 'stop', { async_backend: [] }),

  command('config', 'config', {}),
  command('config empty', 'config', { params: [] }),
  command('config null', 'config', { params: null }),
  command('config set', 'config', { params: [['mqtt_bridge.mqtt_autostart', true]] }),
  command('config set two', 'config', {
    params: [
      ['send_error_logs', false],
      ['tables_format', 'psql'],
    ],
  }),
  command('config set bad value', 'config', { params: [['tick_size', 'abc']] }),
  command('config unknown key', 'config', { params: [['nope', 1]] }),
  command('config known and unknown key', 'config', {
    params: [
      ['nope', 1],
      ['autofill_import', 'start'],
      ['log_level', 'INFO'],
    ],
  }),
  command('config value null', 'config', { params: [['tick_size', null]] }),
  command('config value negative', 'config', { params: [['tick_size', -1]] }),
  command('config value nested', 'config', { params: [['tick_size', { a: [1, -2, 'x/y'] }]] }),
  command('config item of one', 'config', { params: [['tick_size']] }),
  command('config item of three', 'config', { params: [['tick_size', 1, 2]] }),
  command('config key number', 'config', { params: [[1, 2]] }),
  command('config object', 'config', { params: { tick_size: 1 } }),
  command('config string', 'config', { params: 'tick_size' }),
  command('config item object', 'config', { params: [{ tick_size: 1 }] }),
  command('config unknown keys', 'config', { nonsense: 1 }),

  command('status', 'status', {}),
  command('status sync', 'status', sync),
  command('status unknown keys', 'status', { nonsense: 1 }),
  command('status null', 'status', { async_backend: null }),
  command('status wrong type', 'status', { async_backend: 'perhaps' }),

  command('history', 'history', {}),
  command('history sync', 'history', sync),
  command('history sync days', 'history', { days: 1, ...sync }),
  command('history sync days as string', 'history', { days: '1.5', ...sync }),
  command('history sync days negative', 'history', { days: -1, ...sync }),
  command('history sync days null', 'history', { days: null, verbose: null, precision: null, ...sync }),
  command('history verbose', 'history', { verbose: true, precision: 2 }),
  command('history null', 'history', { async_backend: null }),
  command('history unknown keys', 'history', { nonsense: 1, ...sync }),
  command('history wrong type days', 'history', { days: 'many', ...sync }),
  command('history wrong type precision', 'history', { precision: 1.5, ...sync }),
  command('history wrong type verbose', 'history', { verbose: 'loud', ...sync }),

  ...balanceLimit(),
  ...balancePaper(),

  command('command_shortcuts', 'command_shortcuts', { params: [['spreads', '4', '4']] }),
  command('import_strategy', 'import_strategy', { strategy: 'conf_pmm' }),
  ...envelopes('history'),
  ...envelopes('status'),
  ...envelopes('stop'),
  ...impossibleReplies('history'),

  // Last: an interactive bot keeps the name of a file whose import failed half-way.
  command('import missing', 'import', {}),
  command('import empty', 'import', { strategy: '' }),
  command('import null', 'import', { strategy: null }),
  command('import number', 'import', { strategy: 5 }),
  command('import unknown', 'import', { strategy: 'no_such_file' }),
  command('import with extension', 'import', { strategy: 'conf_pmm.yml' }),
  command('import bad file', 'import', { strategy: 'conf_bad' }),
  command('import unknown keys', 'import', { strategy: '', nonsense: 1 }),
  command('history sync after a failed import', 'history', sync),
  command('start after a failed import', 'start', {}),
];

function balanceLimit(): CommandPlan[] {
  const name = 'balance/limit';
  const good = { exchange: 'binance', asset: 'USDT', amount: 100 };
  return [
    command(name, name, good),
    command(`${name} remove`, name, { ...good, amount: -1 }),
    command(`${name} string amount`, name, { ...good, amount: '1.5' }),
    command(`${name} unknown exchange`, name, { ...good, exchange: 'nowhere' }),
    command(`${name} unknown keys`, name, { ...good, nonsense: 1 }),
    command(`${name} no exchange`, name, { asset: 'USDT', amount: 1 }),
    command(`${name} no asset`, name, { exchange: 'binance', amount: 1 }),
    command(`${name} no amount`, name, { exchange: 'binance', asset: 'USDT' }),
    command(`${name} missing all`, name, {}),
    command(`${name} null`, name, { exchange: null, asset: null, amount: null }),
    command(`${name} wrong type amount`, name, { ...good, amount: 'much' }),
    command(`${name} wrong type asset`, name, { ...good, asset: 5 }),
  ];
}

function balancePaper(): CommandPlan[] {
  const name = 'balance/paper';
  const good = { asset: 'USDT', amount: 100 };
  return [
    command(name, name, good),
    command(`${name} negative`, name, { ...good, amount: -5 }),
    command(`${name} string amount`, name, { ...good, amount: '1.5' }),
    command(`${name} unknown keys`, name, { ...good, nonsense: 1 }),
    bytes(
      `${name} NaN`,
      name,
      (to) => `{"header":{"reply_to":"${to}"},"data":{"asset":"USDT","amount":NaN}}`,
    ),
    command(`${name} no asset`, name, { amount: 1 }),
    command(`${name} no amount`, name, { asset: 'USDT' }),
    command(`${name} missing all`, name, {}),
    command(`${name} wrong type amount`, name, { ...good, amount: [] }),
    command(`${name} wrong type asset`, name, { ...good, asset: 5 }),
  ];
}

/** After the import of a strategy file into an interactive bot. */
export const importedCommands: readonly CommandPlan[] = [
  command('import', 'import', { strategy: 'conf_pmm' }),
  command('status sync', 'status', sync),
  command('config', 'config', {}),
  command('config set strategy key', 'config', { params: [['bid_spread', 2]] }),
  command('history sync', 'history', sync),
  command('start', 'start', {}),
  command('start sync', 'start', sync),
  command('stop sync', 'stop', sync),
  command('status after stop', 'status', sync),
];

/** While the strategy runs; nothing of it ends the strategy. */
export const runningCommands: readonly CommandPlan[] = [
  command('start', 'start', {}),
  command('start sync', 'start', sync),
  command('start script', 'start', { script: 'wire_probe.py', conf: 'conf_wire_probe.yml' }),
  command('status', 'status', {}),
  command('status sync', 'status', sync),
  command('config', 'config', {}),
  command('config set', 'config', { params: [['send_error_logs', false]] }),
  command('config unknown key', 'config', { params: [['nope', 1]] }),
  command('import empty', 'import', { strategy: '' }),
  command('import unknown', 'import', { strategy: 'no_such_file' }),
  command('history sync without trades', 'history', sync),
  command('balance/limit', 'balance/limit', { exchange: 'binance', asset: 'USDT', amount: 100 }),
  command('balance/paper', 'balance/paper', { asset: 'USDT', amount: 100 }),
];

/** While the strategy runs and has traded. */
export const tradedCommands: readonly CommandPlan[] = [
  command('history sync', 'history', sync),
  command('history sync days', 'history', { days: 1, ...sync }),
  command('history sync days tiny', 'history', { days: 1e-9, ...sync }),
  command('history sync days negative', 'history', { days: -1, ...sync }),
  command('history sync days null', 'history', { days: null, ...sync }),
  command('history days null', 'history', { days: null }),
  command('history', 'history', {}),
  command('history verbose', 'history', { days: 1, verbose: true, precision: 2 }),
];

/** After a stop. */
export const stoppedCommands: readonly CommandPlan[] = [
  command('start', 'start', {}),
  command('start sync', 'start', sync),
  command('start script sync', 'start', { script: 'wire_probe.py', conf: 'conf_wire_probe.yml', ...sync }),
  command('stop', 'stop', {}),
  command('stop sync', 'stop', sync),
  command('status', 'status', {}),
  command('status sync', 'status', sync),
  command('config', 'config', {}),
  command('import empty', 'import', { strategy: '' }),
  command('import unknown', 'import', { strategy: 'no_such_file' }),
  command('history', 'history', {}),
  command('history sync', 'history', sync),
  command('balance/limit', 'balance/limit', { exchange: 'binance', asset: 'USDT', amount: 100 }),
  command('balance/paper', 'balance/paper', { asset: 'USDT', amount: 100 }),
];

/** The ways to stop a running strategy; each needs a bot of its own. */
export const stops = {
  sync: command('stop sync with an open order', 'stop', sync),
  async: command('stop with an open order', 'stop', {}),
  skip: command('stop skip with an open order', 'stop', { skip_order_cancellation: true }),
} as const;
