/** Files of `conf/strategies` of a recorded bot: one that can be imported into an interactive bot, one that cannot. */
export const strategyFiles: Readonly<Record<string, string>> = {
  'conf_pmm.yml': `template_version: 24
strategy: pure_market_making
exchange: binance_paper_trade
market: BTC-USDT
bid_spread: 1
ask_spread: 1
order_refresh_time: 60
order_amount: 0.1
`,
  'conf_bad.yml': 'strategy: no_such_strategy\n',
};
