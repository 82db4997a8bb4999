/** Options of the client and of its commands. */
import type { BotIdentity } from '../contracts/address.js';

/** Options of an {@link HbotClient}. */
export interface HbotClientOptions extends BotIdentity {
  /**
   * How long a command waits for its answer, in milliseconds. Default 35 000: a bot's own limit is 30 s, and its answer
   * that it ran out of time is worth waiting for.
   */
  readonly timeoutMs?: number | undefined;
  /** Answers come back under this prefix. Default: the namespace, since deny-by-default brokers allow nothing else. */
  readonly inboxPrefix?: string | undefined;
  /** A bot without a heartbeat for this long is `lost`. Milliseconds, default 30 000 (three heartbeats). */
  readonly lostAfterMs?: number | undefined;
  /** Show passwords and other secrets in `config` replies. Default false: they read `[redacted]`. */
  readonly revealSecrets?: boolean | undefined;
}

/** Options of one command. */
export interface CommandOptions {
  /** Milliseconds; default: the client's. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `start` takes. */
export interface StartStrategyOptions {
  /** A file in the bot's `scripts/`, with or without `.py`. Without it, the strategy that was imported is started. */
  readonly script?: string | undefined;
  /** A file in the bot's `conf/scripts/`, with `.yml`. Hummingbot 1.24.0 and later. */
  readonly conf?: string | undefined;
  /** For future versions; up to 2.18 it is ignored. */
  readonly v2Conf?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly isQuickstart?: boolean | undefined;
  /**
   * Answer before the work is done. Default **false**, unlike the bot's own default: otherwise the answer says nothing,
   * and Hummingbot 1.24 to 2.6 drop `conf` and `isQuickstart` on the way.
   */
  readonly asyncBackend?: boolean | undefined;
}

/** What `stop` takes. */
export interface StopStrategyOptions {
  /**
   * Leave open orders on the exchange. Bots heed it only when `async_backend` is true, so it switches that on;
   * together with `asyncBackend: false` it is refused, because the bot would cancel the orders.
   */
  readonly skipOrderCancellation?: boolean | undefined;
  /** Answer before the work is done. Default false: the answer comes when the strategy has wound down. */
  readonly asyncBackend?: boolean | undefined;
}

/** What `history` takes. */
export interface HistoryOptions {
  /** Trades of the last so many days. Default 0: since the bot's process started (not "all"). */
  readonly days?: number | undefined;
  readonly verbose?: boolean | undefined;
  /** Digits after the point. */
  readonly precision?: number | undefined;
  /** Default **false**: otherwise `trades` is empty and the text goes to `notify`, where most releases lose it. */
  readonly asyncBackend?: boolean | undefined;
}

/** What `status` takes. */
export interface StatusOptions {
  /** Default **false**: otherwise the text goes to `notify`, which has been silent since 2.4.0. */
  readonly asyncBackend?: boolean | undefined;
}

/** A limit of what a strategy may use of an asset. */
export interface BalanceLimit {
  readonly exchange: string;
  readonly asset: string;
  /** Negative: no limit any more. */
  readonly amount: number;
}

/** A balance of the paper account. */
export interface PaperBalance {
  readonly asset: string;
  readonly amount: number;
}
