import { kafka } from '@commlib/transport-kafka';
import { freePort, startKafka } from '../../brokers/index.js';
import { startProxy } from '../proxy.js';
import { QUICK, type StageKind, type StageTransport } from './stage.js';

/** Clients of Kafka go where a broker says that it is: one proxy for all who shall go through one. */
export const kafkaNode: StageKind = {
  protocol: 'kafka',
  broker: 'kafka',
  name: 'Kafka',
  async start() {
    const port = await freePort();
    const proxy = await startProxy(port);
    const broker = await startKafka({ proxied: { port, advertisedPort: proxy.port } });
    const { proxiedUrl = broker.url } = broker;
    const at = (side: StageTransport['side']) => (side === 'direct' ? broker.url : proxiedUrl);
    return {
      version: broker.version,
      topicsAreScarce: true,
      proxies: { near: proxy, far: proxy },
      url: at,
      transport: ({ side, clientId, watchful, maxBuffered }) =>
        kafka(at(side), {
          clientId,
          backoff: QUICK,
          requestTimeoutMs: watchful ? 2_000 : undefined,
          connectTimeoutMs: watchful ? 2_000 : undefined,
          maxBuffered,
        }),
      halt: (signal) => broker.halt(signal),
      restart: () => broker.restart(),
      async [Symbol.asyncDispose]() {
        await proxy.close();
        await broker.stop('SIGKILL');
      },
    };
  },
};
