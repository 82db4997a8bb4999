import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { imageOf } from '../brokers/find.js';
import { describeOn, until } from '../brokers/index.js';
import { type Deployment, folder, startDeployment } from './deployment.js';

const composeFile = z.object({
  name: z.string(),
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      ports: z.array(z.string()),
      volumes: z.array(z.string()),
      healthcheck: z.object({ test: z.array(z.string()), interval: z.string(), timeout: z.string() }),
    }),
  ),
  volumes: z.record(z.string(), z.null()).default({}),
});

describe.each(['compose.yaml', 'compose.dev.yaml'])('%s', async (name) => {
  const { services, volumes } = composeFile.parse(parse(await readFile(join(folder, name), 'utf8')));
  const service = Object.values(services)[0];

  test('runs one pinned image, the one of the tests', () => {
    expect(Object.keys(services)).toEqual(['mosquitto']);
    expect(service?.image).toMatch(/^eclipse-mosquitto:\d+\.\d+\.\d+$/);
    if (process.env.COMMLIB_MOSQUITTO_IMAGE === undefined) expect(service?.image).toBe(imageOf('mosquitto'));
  });

  test('publishes ports on the loopback address only', () => {
    expect(service?.ports.length).toBeGreaterThan(0);
    for (const port of service?.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('mounts what is there', async () => {
    const beside = (await readdir(folder)).map((entry) => `./${entry}`);
    for (const volume of service?.volumes ?? []) {
      const source = volume.split(':')[0] ?? '';
      if (source.startsWith('.')) expect(beside).toContain(source);
      else expect(Object.keys(volumes)).toContain(source);
    }
  });

  test('asks a listener that its configuration has whether it is well', async () => {
    const words = service?.healthcheck.test ?? [];
    const conf = await readFile(
      join(folder, 'config', name === 'compose.yaml' ? 'mosquitto.conf' : 'dev.conf'),
      'utf8',
    );
    expect(words.slice(0, 2)).toEqual(['CMD', 'mosquitto_sub']);
    expect(conf).toContain(`listener ${words[words.indexOf('-p') + 1]}`);
    expect(conf).toContain('set_tcp_nodelay true');
  });
});

const users = { controller: 'of the bots', testbot: 'one', other: 'two' };
const clients: MqttClient[] = [];

async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 5, ...options });
  clients.push(client);
  return client;
}

function as(user: keyof typeof users): IClientOptions {
  return { username: user, password: users[user] };
}

/** The next message of a topic. */
async function next(client: MqttClient, topic: string): Promise<() => Promise<string>> {
  const messages: string[] = [];
  client.on('message', (_topic, payload) => messages.push(payload.toString()));
  await client.subscribeAsync(topic, { qos: 1 });
  return () => until(() => messages.shift(), { what: `a message of ${topic}` });
}

afterEach(() => Promise.all(clients.splice(0).map((client) => client.endAsync(true))));

describeOn(
  'mosquitto',
  () => {
    describe('mosquitto.conf', () => {
      let broker: Deployment;
      beforeAll(async () => {
        broker = await startDeployment('mosquitto.conf', users);
      });
      afterAll(() => broker?.stop());

      test('lets nobody in without a password, over TCP and WebSocket', async () => {
        for (const url of [broker.url, broker.wsUrl]) {
          await expect(connect(url)).rejects.toThrow(/not authorized/i);
          await expect(connect(url, { username: 'controller', password: 'guess' })).rejects.toThrow(
            /not authorized/i,
          );
        }
      });

      test('a controller reaches the bots and hears them, over WebSocket too', async () => {
        const bot = await connect(broker.url, as('testbot'));
        const controller = await connect(broker.wsUrl, as('controller'));
        const command = await next(bot, 'hbot/testbot/stop');
        const answer = await next(controller, 'hbot/replies/rpc-1/+');
        await controller.publishAsync('hbot/testbot/stop', 'please', { qos: 1 });
        expect(await command()).toBe('please');
        await bot.publishAsync('hbot/replies/rpc-1/1', 'done', { qos: 1 });
        expect(await answer()).toBe('done');
        await expect(controller.publishAsync('elsewhere', '', { qos: 1 })).rejects.toThrow(/not authorized/i);
      });

      test('a bot cannot command another, nor hear it', async () => {
        const bot = await connect(broker.url, as('testbot'));
        await expect(bot.publishAsync('hbot/other/stop', '', { qos: 1 })).rejects.toThrow(/not authorized/i);
        const heard: string[] = [];
        bot.on('message', (topic) => heard.push(topic));
        // Mosquitto grants the subscription and then delivers nothing.
        await bot.subscribeAsync(['hbot/other/#', 'hbot/testbot/end'], { qos: 1 });
        const other = await connect(broker.url, as('other'));
        await other.publishAsync('hbot/other/log', 'secret', { qos: 1 });
        await bot.publishAsync('hbot/testbot/end', '', { qos: 1 });
        await until(() => heard.includes('hbot/testbot/end'), { what: 'its own message' });
        expect(heard).toEqual(['hbot/testbot/end']);
      });

      test('keeps retained messages over a restart', async () => {
        const controller = await connect(broker.url, as('controller'));
        await controller.publishAsync('hbot/replies/kept', 'still here', { qos: 1, retain: true });
        await broker.shutDown();
        await broker.restart();
        const reader = await connect(broker.url, as('controller'));
        expect(await (await next(reader, 'hbot/replies/kept'))()).toBe('still here');
      });

      test('shows the health check its version, and nothing of the bots', async () => {
        if (broker.healthUrl === undefined) return expect(broker.source).toBe('docker');
        const check = await connect(broker.healthUrl);
        const version = await next(check, '$SYS/broker/version');
        expect(await version()).toContain(broker.version);
        await expect(check.publishAsync('hbot/testbot/stop', '', { qos: 1 })).rejects.toThrow(
          /not authorized/i,
        );
      });
    });

    test('dev.conf lets everybody do everything', async () => {
      await using broker = await startDeployment('dev.conf', {});
      const client = await connect(broker.url);
      const message = await next(client, 'any/topic');
      const other = await connect(broker.wsUrl);
      await other.publishAsync('any/topic', 'hello', { qos: 1 });
      expect(await message()).toBe('hello');
    });
  },
  { own: true },
);
