/** What a test may ask of a Kafka. Everything is optional; without anything it is open to all on 127.0.0.1. */
export interface KafkaOptions {
  /** Never take the broker that `COMMLIB_KAFKA_URL` names. Ask for it when the test kills, restarts or counts. */
  own?: boolean;
  /** Further lines of `server.properties`, e.g. `{ 'auto.create.topics.enable': false }`. They replace those of the launcher. */
  properties?: Readonly<Record<string, string | number | boolean>>;
  /** User → password for SASL PLAIN: a further listener that asks for it. The plain one stays open. */
  users?: Readonly<Record<string, string>>;
  /** PEM texts, see `makeCertificates`. A further listener with TLS, and one with SASL over TLS if there are `users`. */
  tls?: { cert: string; key: string; ca?: string; requireClientCertificate?: boolean };
  /**
   * A further listener that stands behind a TCP proxy. Clients go where a broker advertises itself: it listens on `port`
   * and advertises `advertisedPort`, on which the proxy listens. The proxy is started first:
   *
   * @example
   * const port = await freePort();
   * const proxy = await startProxy(port);
   * const kafka = await startKafka({ proxied: { port, advertisedPort: proxy.port } });
   * connect(kafka.proxiedUrl);
   */
  proxied?: { port: number; advertisedPort: number };
  /** Default: a free one. */
  port?: number;
}

/** A listener of the broker. */
export interface Listener {
  name: 'PLAINTEXT' | 'PROXIED' | 'SASL' | 'TLS' | 'SASLTLS';
  protocol: 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SSL' | 'SASL_SSL';
  /** What the server binds, as it sees it itself. */
  port: number;
  /** What clients are told. */
  advertised: string;
}

/** Where the server keeps its data and which ports it takes, as it sees them itself. */
export interface KafkaPlace {
  /** The directory of its logs. */
  data: string;
  address: string;
  controllerPort: number;
  listeners: readonly Listener[];
}

/** `server.properties` of one node that is broker and controller in one (KRaft). */
export function kafkaProperties(options: KafkaOptions, place: KafkaPlace): string {
  const { listeners, address, controllerPort } = place;
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [
      `CONTROLLER://127.0.0.1:${controllerPort}`,
      ...listeners.map(({ name, port }) => `${name}://${address}:${port}`),
    ].join(','),
    'advertised.listeners': listeners.map(({ name, advertised }) => `${name}://${advertised}`).join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      ...listeners.map(({ name, protocol }) => `${name}:${protocol}`),
    ].join(','),
    'log.dirs': place.data,
    // One node holds everything once; few partitions of its own topics, so that a first group is there quickly.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // Nobody else joins a test's group: no use in waiting 3 s for them.
    'group.initial.rebalance.delay.ms': 0,
    // After `kill9` the old session has to end before the broker may come back: 3 s instead of 9.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    // Two processors, and half a gigabyte of memory.
    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 2,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
  };
  if (options.tls) {
    properties['ssl.keystore.type'] = 'PEM';
    properties['ssl.keystore.key'] = options.tls.key;
    properties['ssl.keystore.certificate.chain'] = options.tls.cert;
    if (options.tls.ca !== undefined) {
      properties['ssl.truststore.type'] = 'PEM';
      properties['ssl.truststore.certificates'] = options.tls.ca;
    }
    properties['ssl.client.auth'] = options.tls.requireClientCertificate ? 'required' : 'none';
  }
  if (options.users) {
    properties['sasl.enabled.mechanisms'] = 'PLAIN';
    const users = Object.entries(options.users).map(
      ([user, password]) => `user_${user}="${password.replace(/[\\"]/g, '\\$&')}"`,
    );
    const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required ${users.join(' ')};`;
    for (const { name } of listeners) {
      if (name === 'SASL' || name === 'SASLTLS')
        properties[`listener.name.${name.toLowerCase()}.plain.sasl.jaas.config`] = jaas;
    }
  }
  return Object.entries({ ...properties, ...options.properties })
    .map(([key, value]) => `${key}=${escaped(String(value))}\n`)
    .join('');
}

/** As a Java properties file has it: a value is one line. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replace(/\r?\n/g, '\\n');
}
