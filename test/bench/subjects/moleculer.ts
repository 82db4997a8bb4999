/** Moleculer: two service brokers, one with the service and one that calls it. Defaults, but for no-delay where there is an option for it. */
import type { Receipt } from '../order.js';
import type { Transport } from '../scenarios.js';
import { type BenchSubject, type SubjectOptions, TIMEOUT_MS } from '../subject.js';
import { peerModule } from './peer-module.js';

/** What is used of it. */
interface Broker {
  createService(schema: object): unknown;
  start(): Promise<void>;
  waitForServices(name: string): Promise<unknown>;
  call(action: string, params: object): Promise<Receipt>;
  broadcast(event: string, payload: object): Promise<void>;
}

interface Context {
  readonly params: never;
}

export async function moleculer(
  transport: Transport,
  { url, channel }: SubjectOptions,
  peers: string,
): Promise<BenchSubject> {
  const { default: library } = await peerModule(peers, 'moleculer', 'moleculer', 'index.js');
  const MakeBroker: new (options: object) => Broker = library.ServiceBroker;
  const namespace = channel.replaceAll('/', '-');
  const start = async (nodeID: string, schema?: object) => {
    const broker = new MakeBroker({
      namespace,
      nodeID,
      logger: false,
      requestTimeout: TIMEOUT_MS,
      transporter: transporterOf(transport, url, nodeID),
    });
    if (schema !== undefined) broker.createService(schema);
    await broker.start();
    return broker;
  };
  /** The service on one, and the other when it has found it. */
  const both = async (schema: object) => {
    await start('server', { name: 'bench', ...schema });
    const client = await start('client');
    await client.waitForServices('bench');
    return client;
  };

  return {
    async stream(_scenario, onOrder) {
      const client = await both({ events: { orders: (context: Context) => onOrder(context.params) } });
      return (order, confirmed) => {
        client.broadcast('orders', order).then(() => confirmed(), confirmed);
      };
    },

    async rpc(_scenario, answer) {
      const client = await both({ actions: { fill: (context: Context) => answer(context.params) } });
      return (order) => client.call('bench.fill', order);
    },
  };
}

function transporterOf(transport: Transport, url: string, nodeID: string): object {
  switch (transport) {
    case 'mqtt':
      return { type: 'MQTT', options: url };
    case 'amqp':
      return { type: 'AMQP', options: { url, prefetch: 64, socketOptions: { noDelay: true } } };
    case 'redis':
      return { type: 'Redis', options: url };
    case 'kafka':
      return { type: 'Kafka', options: { bootstrapBrokers: [new URL(url).host], clientId: nodeID } };
  }
}
