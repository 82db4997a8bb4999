import type { NativeOptions, Transport } from '@commlib/core';
import type { Broker } from '../../brokers/index.js';
import { startProxy, through } from '../proxy.js';
import type { Stage, StageTransport } from './stage.js';

/** A broker that is told by a URL, and a proxy on each of two ways to it. */
export async function stageOf(
  broker: Broker,
  url: string,
  make: (url: string, options: StageTransport) => Transport,
  native?: NativeOptions,
): Promise<Stage> {
  const port = Number(new URL(url).port);
  const proxies = { near: await startProxy(port), far: await startProxy(port) };
  const at = (side: StageTransport['side']) => (side === 'direct' ? url : through(proxies[side], url));
  return {
    version: broker.version,
    proxies,
    native,
    url: at,
    transport: (options) => make(at(options.side), options),
    halt: (signal) => broker.halt(signal),
    restart: () => broker.restart(),
    async [Symbol.asyncDispose]() {
      await Promise.all([proxies.near.close(), proxies.far.close()]);
      await broker.stop('SIGKILL');
    },
  };
}
