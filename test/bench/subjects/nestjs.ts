/**
 * NestJS microservices: its Client and Server classes themselves, without dependency injection, decorators and
 * interceptors around them. Defaults, but for no-delay where there is an option for it.
 */
import { Kafka, logLevel } from 'kafkajs';
import type { Scenario, Transport } from '../scenarios.js';
import type { BenchSubject, SubjectOptions } from '../subject.js';
import { peerModule } from './peer-module.js';
import { makeTopic } from './raw/kafka.js';

/** What is used of rxjs. */
interface Observable {
  subscribe(observer: {
    next?: (value: never) => void;
    error: (error: unknown) => void;
    complete?: () => void;
  }): unknown;
}

interface Client {
  connect(): Promise<unknown>;
  send(pattern: string, data: unknown): Observable;
  emit(pattern: string, data: unknown): Observable;
  /** Kafka only. */
  subscribeToResponseOf(pattern: string): void;
}

type Handler = (data: never, context: RmqContext) => Promise<unknown>;

interface RmqContext {
  getMessage(): object;
  getChannelRef(): { ack(message: object): void };
}

interface Server {
  addHandler(pattern: string, handler: Handler, isEvent: boolean): void;
  listen(done: (error?: unknown) => void): unknown;
}

type Make<T> = new (options: object) => T;

/** Of one transport: the names of its classes, and the options of both. */
interface Wiring {
  readonly server: string;
  readonly client: string;
  readonly options: object;
  /** Only of the client. */
  readonly clientOptions?: object;
}

export async function nestjs(
  transport: Transport,
  { url, channel }: SubjectOptions,
  peers: string,
): Promise<BenchSubject> {
  // It logs to the standard output, where the measurements go.
  const { Logger } = await peerModule(peers, 'nestjs', '@nestjs/common', 'index.js');
  Logger.overrideLogger(false);
  const nest = await peerModule(peers, 'nestjs', '@nestjs/microservices', 'index.js');
  const pattern = channel.replaceAll('/', '.');

  const start = async (scenario: Scenario, handler: Handler): Promise<Client> => {
    const wiring = wire(transport, url, pattern, scenario);
    if (transport === 'kafka') {
      const kafka = new Kafka({ brokers: [hostOf(url)], logLevel: logLevel.NOTHING });
      await makeTopic(kafka, pattern);
      await makeTopic(kafka, `${pattern}.reply`);
    }
    const MakeServer: Make<Server> = nest[wiring.server];
    const server = new MakeServer(wiring.options);
    server.addHandler(pattern, handler, scenario.kind === 'stream');
    await new Promise<void>((resolve, reject) => {
      server.listen((error) => (error ? reject(error) : resolve()));
    });
    const MakeClient: Make<Client> = nest[wiring.client];
    const client = new MakeClient({ ...wiring.options, ...wiring.clientOptions });
    if (transport === 'kafka' && scenario.kind === 'rpc') client.subscribeToResponseOf(pattern);
    await client.connect();
    return client;
  };

  return {
    async stream(scenario, onOrder) {
      const acknowledges = transport === 'amqp' && scenario.delivery === 'at-least-once';
      let arrived: () => void = () => {};
      const client = await start(scenario, async (data, context) => {
        arrived();
        if (isProbe(data)) return;
        onOrder(data);
        if (acknowledges) context.getChannelRef().ack(context.getMessage());
      });
      const record = (data: object) =>
        scenario.id === 'pubsub-qos1' ? new nest.MqttRecordBuilder(data).setQoS(1).build() : data;
      // Its server listens before its subscription is confirmed.
      await untilArrived(
        () => client.emit(pattern, record({ probe: true })).subscribe({ error: console.error }),
        (hit) => {
          arrived = hit;
        },
      );
      return (order, confirmed) => {
        client.emit(pattern, record(order)).subscribe({ complete: confirmed, error: confirmed });
      };
    },

    async rpc(scenario, answer) {
      const client = await start(scenario, async (data) => answer(data));
      const call = (order: object) =>
        new Promise<never>((next, error) => client.send(pattern, order).subscribe({ next, error }));
      return call;
    },
  };
}

function wire(transport: Transport, url: string, pattern: string, scenario: Scenario): Wiring {
  const safe = scenario.kind === 'stream' && scenario.delivery === 'at-least-once';
  switch (transport) {
    case 'mqtt': {
      const qos = scenario.kind === 'stream' ? scenario.qos : 0;
      return { server: 'ServerMqtt', client: 'ClientMqtt', options: { url, subscribeOptions: { qos } } };
    }
    case 'amqp': {
      const options = {
        urls: [url],
        queue: pattern,
        queueOptions: safe ? { durable: true } : { durable: false, autoDelete: true },
        persistent: safe,
        noAck: !safe,
        prefetchCount: scenario.kind === 'stream' ? scenario.window : 0,
        socketOptions: { connectionOptions: { noDelay: true } },
      };
      // Its inbox is the pseudo-queue for direct replies, which takes no acknowledgements.
      return { server: 'ServerRMQ', client: 'ClientRMQ', options, clientOptions: { noAck: true } };
    }
    case 'redis': {
      const { hostname: host, port } = new URL(url);
      return { server: 'ServerRedis', client: 'ClientRedis', options: { host, port: Number(port) } };
    }
    case 'kafka': {
      const options = {
        client: { brokers: [hostOf(url)], clientId: pattern },
        consumer: { groupId: pattern },
        subscribe: { fromBeginning: true },
      };
      return { server: 'ServerKafka', client: 'ClientKafka', options };
    }
  }
}

function hostOf(url: string): string {
  return new URL(url).host;
}

async function untilArrived(send: () => void, onHit: (hit: () => void) => void): Promise<void> {
  let arrived = false;
  const hit = new Promise<void>((resolve) =>
    onHit(() => {
      arrived = true;
      resolve();
    }),
  );
  while (!arrived) {
    send();
    await Promise.race([hit, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
}

function isProbe(data: object): boolean {
  return 'probe' in data;
}
