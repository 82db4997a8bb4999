import { connect as connectAmqp } from 'amqplib';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type Certificates,
  describeOn,
  type MqttBroker,
  makeCertificates,
  type RabbitmqBroker,
  sharedRabbitmq,
  startEmbedded,
  startEmqx,
  startMosquitto,
  startRabbitmq,
  until,
} from './index.js';

// Brokers are started and restarted in the tests themselves.
vi.setConfig({ testTimeout: 90_000 });

/** Sends a message to itself through the broker and returns what came. */
async function echo(url: string, options: IClientOptions = {}): Promise<string> {
  const client = await connectAsync(url, { reconnectPeriod: 0, ...options });
  try {
    return await echoOn(client);
  } finally {
    await client.endAsync(true);
  }
}

async function echoOn(client: MqttClient): Promise<string> {
  const arrived = new Promise<string>((resolve) => {
    client.once('message', (_topic, payload) => resolve(payload.toString()));
  });
  const topic = `brokers-test/${Math.random()}`;
  await client.subscribeAsync(topic);
  await client.publishAsync(topic, 'hello');
  return arrived;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** What every MQTT broker that a test can start must do. */
function behavesAsBroker(start: () => Promise<MqttBroker>): void {
  let broker: MqttBroker;
  beforeAll(async () => {
    broker = await start();
  });
  afterAll(() => broker?.stop());

  test('carries messages over TCP and over WebSocket', async () => {
    expect(await echo(broker.url, { protocolVersion: 4 })).toBe('hello');
    expect(broker.wsUrl).toMatch(/^ws:/);
    expect(await echo(broker.wsUrl ?? '', { protocolVersion: 4 })).toBe('hello');
  });

  test('is gone after kill9 and back on the same port after restart', async () => {
    const before = broker.pid;
    await broker.kill9();
    if (before !== undefined) expect(alive(before)).toBe(false);
    await expect(connectAsync(broker.url, { reconnectPeriod: 0 })).rejects.toThrow(
      /ECONNREFUSED|closed|reset/i,
    );
    await broker.restart();
    expect(await echo(broker.url, { protocolVersion: 4 })).toBe('hello');
  });
}

describe('the embedded broker', () => {
  behavesAsBroker(() => startEmbedded({ websockets: true }));

  test('asks for the password', async () => {
    await using broker = await startEmbedded({ users: { alice: 'right' } });
    expect(await echo(broker.url, { username: 'alice', password: 'right', protocolVersion: 4 })).toBe(
      'hello',
    );
    const wrong = { username: 'alice', password: 'wrong', protocolVersion: 4, reconnectPeriod: 0 } as const;
    await expect(connectAsync(broker.url, wrong)).rejects.toThrow(/Bad username or password/);
  });
});

describeOn(
  'mosquitto',
  () => {
    behavesAsBroker(() => startMosquitto({ websockets: true }));

    test('tells its version, and its log names the clients', async () => {
      await using broker = await startMosquitto({ own: true });
      expect(broker.version).toMatch(/^\d+\.\d+/);
      await echo(broker.url, { clientId: 'client-of-this-test' });
      await until(async () => (await broker.log()).includes('client-of-this-test'), { what: 'its log line' });
    });

    test('keeps the rules of its password and ACL files', async () => {
      await using broker = await startMosquitto({
        users: { alice: 'secret', bob: 'secret too' },
        acl: ['user alice', 'topic readwrite brokers-test/#'],
      });
      expect(await echo(broker.url, { username: 'alice', password: 'secret' })).toBe('hello');
      const wrong = { username: 'alice', password: 'secret too', reconnectPeriod: 0 };
      await expect(connectAsync(broker.url, wrong)).rejects.toThrow(/Not authorized/i);
      const bob = await connectAsync(broker.url, {
        username: 'bob',
        password: 'secret too',
        protocolVersion: 5,
      });
      await expect(bob.subscribeAsync('brokers-test/x')).resolves.toMatchObject([{ qos: 0 }]);
      await expect(bob.publishAsync('brokers-test/x', '', { qos: 1 })).rejects.toThrow(/Not authorized/);
      await bob.endAsync(true);
    });

    test('keeps retained messages over kill -9 when asked for persistence', async () => {
      await using broker = await startMosquitto({ persistence: true });
      const writer = await connectAsync(broker.url);
      await writer.publishAsync('kept', 'still here', { qos: 1, retain: true });
      // Mosquitto confirms before it saves; when it confirms the next one, the first is saved.
      await writer.publishAsync('next', 'x', { qos: 1 });
      await writer.endAsync();
      await broker.kill9();
      await broker.restart();
      const reader = await connectAsync(broker.url);
      const kept = new Promise((resolve) => {
        reader.once('message', (_topic, payload) => resolve(payload.toString()));
      });
      await reader.subscribeAsync('kept');
      expect(await kept).toBe('still here');
      await reader.endAsync();
    });

    describe('with TLS', () => {
      let certificates: Certificates;
      let broker: MqttBroker;
      beforeAll(async () => {
        certificates = await makeCertificates();
        const { server, ca } = certificates;
        broker = await startMosquitto({
          websockets: true,
          tls: { ...server, ca, requireClientCertificate: true },
        });
      });
      afterAll(async () => {
        await broker?.stop();
        await certificates?.dispose();
      });

      test('lets in who has a certificate of its CA, over mqtts and wss', async () => {
        const { ca, client } = certificates;
        expect(await echo(broker.url, { ca, ...client })).toBe('hello');
        expect(await echo(broker.wsUrl ?? '', { ca, ...client })).toBe('hello');
      });

      test('is not trusted with another CA, and trusts no certificate of another CA', async () => {
        const { ca, wrongCa, client, strangeClient } = certificates;
        const once = { reconnectPeriod: 0 };
        await expect(connectAsync(broker.url, { ca: wrongCa, ...client, ...once })).rejects.toThrow(
          /unable to verify|self.signed|issuer|signature/i,
        );
        await expect(connectAsync(broker.url, { ca, ...strangeClient, ...once })).rejects.toThrow();
      });
    });
  },
  { own: true },
);

describeOn('rabbitmq', () => {
  test('one server for the run, by MQTT and by MQTT over WebSocket', async () => {
    const broker = await sharedRabbitmq();
    expect(broker.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(await echo(broker.mqttUrl, { protocolVersion: 4 })).toBe('hello');
    if (broker.wsUrl) expect(await echo(broker.wsUrl, { protocolVersion: 4 })).toBe('hello');
    expect((await sharedRabbitmq()).url).toBe(broker.url);
  }, 120_000);
});

describeOn(
  'rabbitmq',
  () => {
    let broker: RabbitmqBroker;
    let certificates: Certificates;
    beforeAll(async () => {
      certificates = await makeCertificates();
      const { server, ca } = certificates;
      broker = await startRabbitmq({
        tls: { ...server, ca, requireClientCertificate: true },
        users: { alice: 'secret' },
        vhosts: ['other'],
      });
    });
    afterAll(async () => {
      await broker?.stop();
      await certificates?.dispose();
    });

    test('offers AMQP over TLS, to clients with a certificate of its CA, for every user and vhost', async () => {
      const { ca, wrongCa, client } = certificates;
      const url = `${broker.tlsUrl?.replace('guest:guest', 'alice:secret')}/other`;
      const connection = await connectAmqp(url, { ca: [ca], ...client });
      await connection.close();
      await expect(connectAmqp(url, { ca: [wrongCa], ...client })).rejects.toThrow(
        /unable to verify|self.signed|issuer|signature/i,
      );
      await expect(connectAmqp(url, { ca: [ca] })).rejects.toThrow(
        /certificate required|closed|reset|handshake/i,
      );
    });

    test('is gone after kill9 and back on the same ports after restart', async () => {
      const before = broker.pid ?? 0;
      expect(alive(before)).toBe(true);
      await broker.kill9();
      expect(alive(before)).toBe(false);
      await broker.restart();
      expect(await echo(broker.mqttUrl, { protocolVersion: 4 })).toBe('hello');
    }, 90_000);
  },
  { own: true },
);

describeOn('emqx', () => {
  test('carries messages', async () => {
    await using broker = await startEmqx();
    expect(await echo(broker.url, { protocolVersion: 5 })).toBe('hello');
  });
});
