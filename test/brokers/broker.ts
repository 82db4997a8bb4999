import type { Source } from './find.js';

/** A running broker. Dispose of it with `await using` or `stop()`; should the test die, a guard ends it. */
export interface Broker extends AsyncDisposable {
  readonly source: Source;
  readonly version: string;
  /** Process id; undefined for a broker at a given URL and for the embedded one. It changes with every restart. */
  readonly pid: number | undefined;
  /** What the server has written to its log, for the message of a failing test. Empty for a broker at a URL. */
  log(): Promise<string>;
  /** Ends it for good, in an orderly way unless another signal is given, and removes its files. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** `kill -9`. Port, configuration and data stay for {@link restart}. */
  kill9(): Promise<void>;
  /** As {@link kill9}, by a signal of one's choice: `SIGTERM` lets it write down what it has in memory. */
  halt(signal: NodeJS.Signals): Promise<void>;
  /**
   * Starts it again on the same ports with the same configuration. If it still runs it is ended first: killed, or in an
   * orderly way with `SIGTERM`.
   */
  restart(signal?: NodeJS.Signals): Promise<void>;
}

/** A broker that speaks MQTT. */
export interface MqttBroker extends Broker {
  /** `mqtt://127.0.0.1:<port>`, or `mqtts://localhost:<port>` with TLS. */
  readonly url: string;
  /** `ws://…` or `wss://…` when asked for. */
  readonly wsUrl: string | undefined;
  readonly port: number;
}

/** Thrown when a test asks for a broker that this machine does not have. */
export class BrokerUnavailable extends Error {
  override name = 'BrokerUnavailable';
}

/** The controls of a broker that belongs to somebody else. */
export function notOurs(where: string): Pick<Broker, 'log' | 'stop' | 'kill9' | 'halt' | 'restart'> {
  const refuse = async () => {
    throw new Error(
      `the broker at ${where} is not ours: a test that kills or restarts must ask for { own: true }`,
    );
  };
  return { log: async () => '', stop: async () => {}, kill9: refuse, halt: refuse, restart: refuse };
}
