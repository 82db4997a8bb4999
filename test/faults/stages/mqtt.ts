import type { NativeOptions } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { type Broker, startMosquitto, startRabbitmq } from '../../brokers/index.js';
import { startProxy, through } from '../proxy.js';
import { QUICK, type Stage, type StageKind } from './stage.js';

/** Puts two proxies in front of an MQTT broker. */
async function stageOf(broker: Broker, url: string, native?: NativeOptions): Promise<Stage> {
  const port = Number(new URL(url).port);
  const proxies = { near: await startProxy(port), far: await startProxy(port) };
  return {
    version: broker.version,
    proxies,
    native,
    transport: ({ side, clientId, watchful, maxBuffered }) =>
      mqtt(through(proxies[side], url), {
        clientId,
        backoff: QUICK,
        keepaliveMs: watchful ? 1_000 : 30_000,
        maxBuffered,
      }),
    halt: (signal) => broker.halt(signal),
    restart: () => broker.restart(),
    async [Symbol.asyncDispose]() {
      await Promise.all([proxies.near.close(), proxies.far.close()]);
      await broker.stop('SIGKILL');
    },
  };
}

/**
 * Mosquitto writes its sessions into a file at SIGTERM, and every half an hour; beyond `max_queued_messages`, 1000 unless said
 * otherwise, it drops what a session has waiting.
 */
export const mosquitto: StageKind = {
  protocol: 'mqtt',
  broker: 'mosquitto',
  name: 'MQTT on Mosquitto',
  async start() {
    const broker = await startMosquitto({
      persistence: 'as shipped',
      config: ['max_queued_messages 0', 'max_inflight_messages 1000'],
    });
    // It forgets shared subscriptions when it is restarted.
    return stageOf(broker, broker.url, { mqtt: { shared: false } });
  },
};

/** RabbitMQ keeps MQTT sessions in durable queues. */
export const rabbitmqMqtt: StageKind = {
  protocol: 'mqtt',
  broker: 'rabbitmq',
  name: 'MQTT on RabbitMQ',
  async start() {
    const broker = await startRabbitmq({ own: true });
    return stageOf(broker, broker.mqttUrl);
  },
};
