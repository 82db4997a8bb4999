/** The configuration keys that a bot accepts without a strategy, as Hummingbot 2.13 and 2.18 do. */

const group = (name: string, ...keys: string[]) => keys.map((key) => `${name}.${key}`);

/** Hummingbot's client keys. `log_level` and `mqtt_bridge.mqtt_logger` are none, though one would think so. */
export const CLIENT_KEYS: ReadonlySet<string> = new Set([
  'instance_id',
  'fetch_pairs_from_all_exchanges',
  'log_file_path',
  'kill_switch_mode',
  'autofill_import',
  ...group(
    'mqtt_bridge',
    'mqtt_host',
    'mqtt_port',
    'mqtt_username',
    'mqtt_password',
    'mqtt_namespace',
    'mqtt_ssl',
    'mqtt_notifier',
    'mqtt_commands',
    'mqtt_events',
    'mqtt_external_events',
    'mqtt_autostart',
  ),
  'send_error_logs',
  'db_mode',
  'db_mode.db_engine',
  'balance_asset_limit',
  'manual_gas_price',
  ...group('gateway', 'gateway_api_host', 'gateway_api_port', 'gateway_use_ssl'),
  'anonymized_metrics_mode',
  'rate_oracle_source',
  ...group('global_token', 'global_token_name', 'global_token_symbol'),
  'rate_limits_share_pct',
  ...group('commands_timeout', 'create_command_timeout', 'other_commands_timeout'),
  'tables_format',
  'paper_trade.paper_trade_account_balance',
  ...group('color', 'top_pane', 'bottom_pane', 'output_pane', 'input_pane', 'logs_pane', 'terminal_primary'),
  'tick_size',
  ...group(
    'market_data_collection',
    'market_data_collection_enabled',
    'market_data_collection_interval',
    'market_data_collection_depth',
  ),
]);

/** What a bot makes of parameters: the keys it knows, and its words about the others. */
export function sortParams(params: readonly [string, unknown][]) {
  const changes = params.filter(([key]) => CLIENT_KEYS.has(key));
  const unknown = params.filter(([key]) => !CLIENT_KEYS.has(key)).map(([key]) => `'${key}'`);
  return {
    changes,
    complaint: unknown.length > 0 ? `Invalid param key(s): [${unknown.join(', ')}]` : undefined,
  };
}
