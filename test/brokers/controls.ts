import type { Broker } from './broker.js';

/** What a way of running a server must offer; the rest of a broker's controls follows from it. */
export interface Controls {
  pid(): number | undefined;
  log(): Promise<string>;
  /** Resolves when the server has ended; at once if it does not run. */
  end(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Removes its files, or its container. */
  remove(): Promise<void>;
}

/** Puts the common controls on a broker's own properties. */
export function controlled<T extends object>(controls: Controls, own: T): T & ControlsOfBroker {
  let stopped: Promise<void> | undefined;
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    stopped ??= controls.end(signal).then(() => controls.remove());
    return stopped;
  };
  return {
    ...own,
    get pid() {
      return controls.pid();
    },
    log: () => controls.log(),
    stop,
    kill9: () => controls.end('SIGKILL'),
    halt: (signal) => controls.end(signal),
    async restart(signal: NodeJS.Signals = 'SIGKILL') {
      if (stopped) throw new Error('the broker was stopped for good');
      await controls.end(signal);
      await controls.start();
    },
    [Symbol.asyncDispose]: () => stop(),
  };
}

type ControlsOfBroker = Omit<Broker, 'source' | 'version'>;
